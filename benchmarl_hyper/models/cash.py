"""CASH (arXiv 2501.06058): a hypernetwork that reads capabilities writes one layer per sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor, nn

from benchmarl_hyper.models.common.capability import Capability, CapabilityConfig
from benchmarl_hyper.models.common.generated_mlp import GeneratedMlpConfig, check_sizes
from benchmarl_hyper.models.common.per_sample import PerSample
from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.layers import Layer
from benchmarl_hyper.weights.rows import Rows, Table

FLAX_EPSILON = 1e-6  # of LayerNorm in the library of the public code; torch has 1e-5


class Adapter(nn.Module):
    """A small MLP, ``linear -> LayerNorm -> relu`` per hidden layer, that writes one tensor.

    Args:
        sizes: ``[in, hidden..., out]``.
        scale: gain of all linear layers, which start orthogonal with zero biases.
    """

    def __init__(self, sizes: Sequence[int], scale: float):
        super().__init__()
        self.scale = scale
        self.linears = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(o, FLAX_EPSILON) for o in sizes[1:-1])
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Redraw all layers, in place."""
        for linear in self.linears:
            nn.init.orthogonal_(linear.weight, self.scale)  # type: ignore[arg-type]
            linear.bias.zero_()  # type: ignore[operator]
        for norm in self.norms:
            norm.reset_parameters()  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        """Return what is written for ``[rows, in]``, ``[rows, out]``."""
        *hidden, last = self.linears
        for linear, norm in zip(hidden, self.norms, strict=True):
            x = torch.relu(norm(linear(x)))
        return last(x)


class CashGenerator(nn.Module):
    """Shared layers around one that two adapters write for each sample: the one before the last.

    Args:
        n_agents: number of agents.
        specs: the target layers, at least two.
        n_read: number of features that adapters read.
        agent_id: whether adapters also read a one-hot id.
        adapter_cells: hidden sizes of both adapters.
        weight_scale: gain of the adapter that writes weights.
        bias_scale: gain of the adapter that writes biases.
    """

    ids: Tensor

    def __init__(
        self,
        n_agents: int,
        specs: Sequence[LayerSpec],
        n_read: int,
        agent_id: bool,
        adapter_cells: Sequence[int],
        weight_scale: float,
        bias_scale: float,
    ):
        super().__init__()
        *encoder, (self.n_in, self.n_out, _), out = specs
        self.shared = Table(Rows(1, spec) for spec in (*encoder, out))
        inner = [n_read + (n_agents if agent_id else 0), *adapter_cells]
        self.weight = Adapter([*inner, self.n_in * self.n_out], weight_scale)
        self.bias = Adapter([*inner, self.n_out], bias_scale)
        self.agent_id = agent_id
        if agent_id:
            self.register_buffer("ids", torch.eye(n_agents))

    def forward(self, read: Tensor) -> list[Layer]:
        """Return the layers, of which one has a row for each agent of each sample.

        Args:
            read: what adapters read, ``[samples, n_agents, n_read]``.
        """
        if self.agent_id:
            read = torch.cat([read, self.ids.expand(len(read), -1, -1)], -1)
        rows = read.flatten(0, 1)
        weight = self.weight(rows).view(-1, self.n_in, self.n_out)
        *encoder, out = self.shared()
        return [*encoder, Layer(weight, self.bias(rows).unsqueeze(1)), out]


class Cash(PerSample):
    """CASH: shared layers, and one that is written from what describes an agent, for every sample.

    ``z = encoder(o)``, ``y = relu(z W + b)`` with ``W = h_w(x)`` and ``b = h_b(x)``, and a shared
    last layer. Adapters ``h`` read ``x``, the agent's capabilities or its whole observation. The
    encoder has all layers up to the last hidden one, which is the one that is written.

    Args:
        adapter_cells: hidden sizes of the adapters.
        weight_scale: gain of the adapter that writes weights.
        bias_scale: gain of the adapter that writes biases.
        agent_id: whether adapters also read a one-hot id, for tasks without capabilities.
        capability_keys: entries that adapters read; see
            :class:`~benchmarl_hyper.models.common.capability.Capability`.
        capability_indices: places of the features in these entries; None for all.
        max_bytes: largest size of the weights that one call may generate, in bytes.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    def __init__(
        self,
        adapter_cells: Sequence[int],
        weight_scale: float,
        bias_scale: float,
        agent_id: bool,
        capability_keys: Sequence[str],
        capability_indices: Sequence[int] | None,
        max_bytes: int,
        **kwargs: Any,
    ):
        self.max_bytes = max_bytes
        capability = Capability(capability_keys, capability_indices, kwargs)
        make_generator = partial(
            CashGenerator,
            n_read=capability.size,
            agent_id=agent_id,
            adapter_cells=adapter_cells,
            weight_scale=weight_scale,
            bias_scale=bias_scale,
        )
        super().__init__(make_generator, **kwargs)
        self.capability = capability.to(self.device)

    def _generator_inputs(self, tensordict: TensorDictBase, x: Tensor) -> Tensor:
        return self.capability(tensordict).to(self.weight_dtype)

    def _weights_per_agent(self) -> int:
        n_in, n_out = self.sizes[-3:-1]
        return (n_in + 1) * n_out


@dataclass(kw_only=True)
class CashConfig(CapabilityConfig, GeneratedMlpConfig):
    """Configuration of :class:`Cash`.

    Raises:
        ValueError: if a size is not positive, if there is no hidden layer, or if a scale is
            negative or that of the weights is 0.
    """

    adapter_cells: Sequence[int]
    weight_scale: float
    bias_scale: float
    agent_id: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("adapter_cells", self.adapter_cells)
        if not self.num_cells:
            raise ValueError(
                "num_cells of cash must not be empty, since the last hidden layer is the one that "
                "is generated; give it a layer, for example num_cells=[32, 32, 32]"
            )
        if self.weight_scale <= 0 or self.bias_scale < 0:
            raise ValueError(
                f"weight_scale={self.weight_scale} must be positive, and "
                f"bias_scale={self.bias_scale} must not be negative; published are 0.2 and 0"
            )

    @staticmethod
    def associated_class() -> type[Cash]:
        """Return :class:`Cash`, the model that this configuration builds."""
        return Cash
