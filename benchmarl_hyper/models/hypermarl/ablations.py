"""HyperMARL's ablations (arXiv 2412.04233): ``hypermarl_mlp`` without one of its ideas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import torch
from torch import Tensor

from benchmarl_hyper.models.common.generated_mlp import check_sizes
from benchmarl_hyper.models.hypermarl.hypernetwork import Hypernetwork
from benchmarl_hyper.models.hypermarl.models import (
    HypermarlMlp,
    HypermarlMlpConfig,
    HypernetworkConfig,
)
from benchmarl_hyper.weights.initialisation import LayerSpec, lecun_normal_head_
from benchmarl_hyper.weights.layers import target_mlp


class HypermarlNoGd(HypermarlMlp):
    """HyperMARL without gradient decoupling: the hypernetwork also reads the observation.

    ``theta = h(o_t, e_i)``, so every sample has weights of its own, and no agent has a network that
    could be exported. The target network reads ``o_t``, as in HyperMARL. In a centralised critic,
    both networks read the critic's inputs in place of ``o_t``.

    While gradients are disabled, samples are processed in parts whose weights fit into
    ``max_bytes``. While they are enabled, a minibatch that does not fit raises a ``ValueError``.

    Args:
        max_bytes: largest size of the weights that one call may generate, in bytes.
        **kwargs: the arguments of :class:`~benchmarl_hyper.models.hypermarl.models.HypermarlMlp`.
    """

    generates_alone = False

    def __init__(self, max_bytes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_bytes = max_bytes

    @staticmethod
    def _hypernetwork(n_agents: int, specs: Sequence[LayerSpec], **settings: Any) -> Hypernetwork:
        return Hypernetwork(n_agents, specs, n_observed=specs[0].in_features, **settings)

    def generate(self) -> NoReturn:
        """Raise an error, since there are no weights without an observation.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"{type(self).__name__} generates weights for each observation, so no agent has a "
            "network of its own; choose a variant whose hypernetwork reads the agent alone, for "
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
        """Return outputs ``[samples * n, 1, out]`` for ``[samples, n, in]``, a network for each."""
        inputs = samples.reshape(-1, 1, self.sizes[0])
        return target_mlp(inputs, self.generator(samples), self._activate)

    def _samples_at_once(self, samples: Tensor) -> int:
        """Return the number of samples to generate weights for at once.

        Raises:
            ValueError: if gradients are enabled and the weights of all samples do not fit.
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
class HypermarlNoGdConfig(HypernetworkConfig):
    """Configuration of :class:`HypermarlNoGd`.

    Raises:
        ValueError: if ``max_bytes`` is not positive.
    """

    bias: bool
    max_bytes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("max_bytes", [self.max_bytes])

    @staticmethod
    def associated_class() -> type[HypermarlNoGd]:
        """Return :class:`HypermarlNoGd`, the model that this configuration builds."""
        return HypermarlNoGd


class HypermarlNoRf(HypermarlMlp):
    """HyperMARL with heads that are not initialised like the layers they write.

    The heads start LeCun-normal, as a linear map from codes does by default in Flax. So the weights
    of all layers start with the same variance, whatever the number of inputs, and the last layer
    has no gain.
    """

    @staticmethod
    def _hypernetwork(n_agents: int, specs: Sequence[LayerSpec], **settings: Any) -> Hypernetwork:
        plain = [spec._replace(initialise=lecun_normal_head_) for spec in specs]
        return Hypernetwork(n_agents, plain, **settings)


@dataclass(kw_only=True)
class HypermarlNoRfConfig(HypermarlMlpConfig):
    """Configuration of :class:`HypermarlNoRf`.

    Raises:
        ValueError: if ``init`` or ``out_gain`` is changed, since they have no effect.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init != "orthogonal" or self.out_gain is not None:
            raise ValueError(
                f"init={self.init} and out_gain={self.out_gain} have no effect on hypermarl_no_rf, "
                "whose heads are not initialised like the layers they write; set them to "
                "orthogonal and null, or use hypermarl_mlp"
            )

    @staticmethod
    def associated_class() -> type[HypermarlNoRf]:
        """Return :class:`HypermarlNoRf`, the model that this configuration builds."""
        return HypermarlNoRf
