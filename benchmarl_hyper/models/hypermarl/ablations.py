"""HyperMARL's ablations (arXiv 2412.04233): ``hypermarl_mlp`` without one of its ideas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarl_hyper.models.common.generated_mlp import check_sizes
from benchmarl_hyper.models.hypermarl.hypernetwork import Hypernetwork
from benchmarl_hyper.models.hypermarl.models import (
    HypermarlMlp,
    HypermarlMlpConfig,
    HypernetworkConfig,
)
from benchmarl_hyper.weights.initialisation import LayerSpec, lecun_normal_head_


class HypermarlNoGd(HypermarlMlp):
    """HyperMARL without gradient decoupling: the hypernetwork also reads the observation.

    ``theta = h(o_t, e_i)``, so every sample has weights of its own; see
    :class:`~benchmarl_hyper.models.common.per_sample.PerSample`. The target network reads ``o_t``,
    as in HyperMARL. In a centralised critic, both networks read the critic's inputs in place of
    ``o_t``.

    Args:
        **kwargs: the arguments of :class:`~benchmarl_hyper.models.hypermarl.models.HypermarlMlp`,
            without those of capabilities.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.generates_alone = False

    @staticmethod
    def _hypernetwork(n_agents: int, specs: Sequence[LayerSpec], **settings: Any) -> Hypernetwork:
        observed = {"n_observed": specs[0].in_features}
        return Hypernetwork(n_agents, specs, **{**settings, **observed})


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
