"""Capabilities: the part of an agent's inputs that describes the agent itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor, nn

from benchmarl_hyper.models.common.generated_mlp import check_sizes


class Capability(nn.Module):
    """Reads the features of every agent's inputs that describe the agent.

    Args:
        keys: names of the entries that hold them, for example ``["observation"]``.
        indices: places of the features in these entries, joined; negative ones count from the end.
            None for all features.
        model: the arguments that BenchMARL passes to the model.

    Raises:
        ValueError: if the model has no inputs of each agent, or if entries or features are missing.
    """

    index: Tensor

    def __init__(self, keys: Sequence[str], indices: Sequence[int] | None, model: dict[str, Any]):
        super().__init__()
        where = f"capability_keys={list(keys)}: model of group '{model['agent_group']}'"
        if not model["input_has_agent_dim"]:
            raise ValueError(
                f"{where} reads a global state, which has no entry of each agent; choose another "
                "critic, for example model@critic_model=layers/fups"
            )
        entries = dict(model["input_spec"].items(True, True))
        names = {key if isinstance(key, str) else key[-1]: key for key in entries}
        if missing := [key for key in keys if key not in names]:
            raise ValueError(
                f"{where} has no input called {', '.join(missing)}; its inputs are "
                f"{', '.join(names)}"
            )
        self.keys, self.n_dims = [names[key] for key in keys], model["num_feature_dims"]
        size = sum(entries[key].shape[-self.n_dims :].numel() for key in self.keys)
        self.selects = indices is not None
        if indices is None:
            self.size = size
            return
        if wrong := [i for i in indices if not -size <= i < size]:
            raise ValueError(
                f"{where} reads {size} features there, so capability_indices must be between "
                f"{-size} and {size - 1}, got {wrong[0]}"
            )
        self.size = len(indices)
        self.register_buffer("index", torch.tensor([i % size for i in indices]))

    def forward(self, tensordict: TensorDictBase) -> Tensor:
        """Return the features, ``[*batch, n, size]``, in the dtype of the entries."""
        entries = [tensordict.get(key).flatten(-self.n_dims) for key in self.keys]
        x = entries[0] if len(entries) == 1 else torch.cat(entries, -1)
        return x[..., self.index] if self.selects else x


@dataclass(kw_only=True)
class CapabilityConfig:
    """The fields of a configuration that say which features describe an agent.

    Raises:
        ValueError: if there are no keys or indices, if one is given twice, or if ``max_bytes`` is
            not positive.
    """

    # With defaults, since runs that older versions pickled have no such fields
    capability_keys: Sequence[str] = ("observation",)
    capability_indices: Sequence[int] | None = None
    max_bytes: int = 2**31

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[misc]
        check_sizes("max_bytes", [self.max_bytes])
        for name in ("capability_keys", "capability_indices"):
            values = getattr(self, name)
            if values is not None and (not values or len({*values}) != len(values)):
                raise ValueError(
                    f"{name} must name at least one, and none of them twice, got {list(values)}"
                )
