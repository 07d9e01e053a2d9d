"""HyperMARL's ablations (arXiv 2412.04233): ``hypermarl_mlp`` with one idea taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import torch
from torch import Tensor

from benchmarl_hyper.models.common.generated_mlp import check_sizes
from benchmarl_hyper.models.hypermarl.hypernetwork import Hypernetwork
from benchmarl_hyper.models.hypermarl.models import HypermarlMlp, HypermarlMlpConfig
from benchmarl_hyper.weights.initialisation import LayerSpec, lecun_normal_head_
from benchmarl_hyper.weights.layers import target_mlp


class HypermarlNoGd(HypermarlMlp):
    """HyperMARL without gradient decoupling: the hypernetwork reads the observation, too.

    ``theta = h(o_t, e_i)``, so that every sample has weights of its own, and an agent has no
    network that could be taken out. The network that is generated reads ``o_t``, as always. The
    inputs of a centralised critic take the place of ``o_t``, in both.

    Where no gradient is wanted, samples are taken in parts whose weights fit into ``max_bytes``.

    Args:
        max_bytes: of the weights that one call generates.
        **kwargs: see :class:`~benchmarl_hyper.models.hypermarl.models.HypermarlMlp`.
    """

    def __init__(self, max_bytes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_bytes = max_bytes

    @staticmethod
    def _hypernetwork(n_agents: int, specs: Sequence[LayerSpec], **settings: Any) -> Hypernetwork:
        return Hypernetwork(n_agents, specs, n_observed=specs[0].in_features, **settings)

    def generate(self) -> NoReturn:
        """There are no weights without an observation.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"{type(self).__name__} generates weights for each observation, so that agents have no "
            "weights of their own; choose a variant whose hypernetwork reads the agent alone, for "
            "example hypermarl_mlp"
        )

    def _run_agents(self, x: Tensor, own_inputs: bool) -> Tensor:
        if not own_inputs:
            x = x.unsqueeze(-2).expand(*x.shape[:-1], self.n_agents, -1)
        samples = x.reshape(-1, self.n_agents, self.sizes[0])
        parts = samples.split(self._samples_at_once(samples))
        y = torch.cat([self._run_samples(part) for part in parts])
        y = y.reshape(*x.shape[:-1], self.sizes[-1])
        return y if self.output_has_agent_dim else y.squeeze(-2)

    def _run_samples(self, samples: Tensor) -> Tensor:
        """From ``[samples, n, in]`` to ``[samples * n, 1, out]``: each of them has a network."""
        inputs = samples.reshape(-1, 1, self.sizes[0])
        return target_mlp(inputs, self.generator(samples), self._activate)

    def _samples_at_once(self, samples: Tensor) -> int:
        """How many to generate weights for in one go.

        Raises:
            ValueError: where gradients are wanted, and the weights of all samples do not fit.
        """
        weights = self.n_agents * sum((i + 1) * o for i, o in pairwise(self.sizes))
        size = weights * samples.element_size()
        fitting, n_samples = self.max_bytes // size, max(len(samples), 1)
        if n_samples <= fitting:
            return n_samples
        if torch.is_grad_enabled():
            raise ValueError(
                f"{type(self).__name__} of group '{self.agent_group}' would generate weights of "
                f"{n_samples * size:,} bytes for {n_samples:,} frames, and max_bytes is "
                f"{self.max_bytes:,}; use minibatches of at most {fitting:,} frames "
                "(experiment.on_policy_minibatch_size with algorithm.minibatch_advantage=True, or "
                "experiment.off_policy_train_batch_size), smaller num_cells, or a larger max_bytes"
            )
        return max(fitting, 1)


@dataclass(kw_only=True)
class HypermarlNoGdConfig(HypermarlMlpConfig):
    """Configuration of :class:`HypermarlNoGd`.

    Raises:
        ValueError: for ``max_bytes`` that is not positive.
    """

    max_bytes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("max_bytes", [self.max_bytes])

    @staticmethod
    def associated_class() -> type[HypermarlNoGd]:
        """The model."""
        return HypermarlNoGd


class HypermarlNoRf(HypermarlMlp):
    """HyperMARL without the initialisation that heads have for the layer they write.

    They start LeCun-normal, which is Flax's default, for a linear map from codes: so all layers
    start with weights of one variance, whatever their inputs, and the last without a gain.
    """

    @staticmethod
    def _hypernetwork(n_agents: int, specs: Sequence[LayerSpec], **settings: Any) -> Hypernetwork:
        plain = [spec._replace(initialise=lecun_normal_head_) for spec in specs]
        return Hypernetwork(n_agents, plain, **settings)


@dataclass(kw_only=True)
class HypermarlNoRfConfig(HypermarlMlpConfig):
    """Configuration of :class:`HypermarlNoRf`.

    Raises:
        ValueError: for another initialisation of the layers that heads write.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init != "orthogonal" or self.out_gain is not None:
            raise ValueError(
                f"init={self.init} and out_gain={self.out_gain} have no effect on hypermarl_no_rf, "
                "whose heads do not start like the layers they write; leave them at orthogonal "
                "and null, or use hypermarl_mlp"
            )

    @staticmethod
    def associated_class() -> type[HypermarlNoRf]:
        """The model."""
        return HypermarlNoRf
