"""PPO with the settings of HyperMARL's public code that BenchMARL's PPO does not have."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Any

from benchmarl.algorithms import Ippo, IppoConfig, Mappo, MappoConfig
from tensordict import TensorDictBase
from tensordict.nn import TensorDictModule
from torchrl.objectives import ClipPPOLoss

from benchmarl_hyper.algorithms.shipped_config import ShippedConfig
from benchmarl_hyper.algorithms.value_norm import NormalisedValues

# The dimensions of advantages [*batch, n, 1] whose entries are normalised separately. "joint" names
# the last one, which has a single entry, because torchrl warns if no dimension is named.
KEPT_APART: dict[str, tuple[int, ...]] = {"none": (), "joint": (-1,), "per_agent": (-2,)}


class PaperPpo(NormalisedValues):
    """A mix-in that adds the settings of HyperMARL's PPO to BenchMARL's IPPO and MAPPO.

    Args:
        normalize_advantage: how the advantages of each minibatch are scaled to mean 0 and standard
            deviation 1: ``"joint"`` over all agents, ``"per_agent"``, or ``"none"`` for no scaling,
            as in BenchMARL.
        clip_value: whether the critic's values may move by at most ``clip_epsilon`` per batch.
        anneal_lr: whether learning rates fall from iteration to iteration, to zero at the end.
        **kwargs: ``value_norm`` of :class:`NormalisedValues`, and the arguments of
            :class:`benchmarl.algorithms.Ippo` or :class:`benchmarl.algorithms.Mappo`.
    """

    def __init__(self, normalize_advantage: str, clip_value: bool, anneal_lr: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.normalize_advantage = normalize_advantage
        self.clip_value = clip_value
        self.anneal_lr = anneal_lr

    def _get_loss(
        self, group: str, policy_for_loss: TensorDictModule, continuous: bool
    ) -> tuple[ClipPPOLoss, bool]:
        loss, use_target = super()._get_loss(group, policy_for_loss, continuous)
        loss.normalize_advantage = self.normalize_advantage != "none"
        loss.normalize_advantage_exclude_dims = KEPT_APART[self.normalize_advantage]
        if self.clip_value:
            del loss.clip_value  # None, and a buffer may not take the name of an attribute
            loss.register_buffer("clip_value", loss.clip_epsilon.clone())
        return self.with_moments(loss), use_target

    def process_batch(self, group: str, batch: TensorDictBase) -> TensorDictBase:
        """Return the batch as BenchMARL prepares it, and set this iteration's learning rate.

        Args:
            group: name of the group.
            batch: what was collected, ``[*batch]``.
        """
        if self.anneal_lr:
            run = self.experiment
            # From the frames of one run, also where the batch holds those of many seeds
            before = run.total_frames * run.n_iters_performed // (run.n_iters_performed + 1)
            remaining = 1 - before / run.config.get_max_n_frames(on_policy=True)
            for optimizer in run.optimizers[group].values():
                for parameters in optimizer.param_groups:
                    parameters["lr"] = run.config.lr * remaining
        return super().process_batch(group, batch)


class IppoPaper(PaperPpo, Ippo):
    """IPPO with the settings of :class:`PaperPpo`."""


class MappoPaper(PaperPpo, Mappo):
    """MAPPO with the settings of :class:`PaperPpo`."""


@dataclass
class PaperPpoConfig(ShippedConfig):
    """The fields that :class:`PaperPpo` adds to the configurations of IPPO and MAPPO.

    Raises:
        ValueError: if ``normalize_advantage`` is unknown.
    """

    seeds_at_once = True  # for several seeds in one process

    normalize_advantage: str = MISSING  # type: ignore[assignment]
    clip_value: bool = MISSING  # type: ignore[assignment]
    anneal_lr: bool = MISSING  # type: ignore[assignment]
    value_norm: bool = MISSING  # type: ignore[assignment]

    @property
    def needs_one_seed(self) -> str | None:
        """The setting that keeps seeds from being trained at once; None if there is none."""
        return "algorithm.value_norm=True" if self.value_norm else None

    def __post_init__(self) -> None:
        if self.normalize_advantage not in KEPT_APART:
            raise ValueError(
                f"algorithm.normalize_advantage must be one of {', '.join(KEPT_APART)}, got "
                f"{self.normalize_advantage!r}"
            )


@dataclass
class IppoPaperConfig(PaperPpoConfig, IppoConfig):
    """Configuration of :class:`IppoPaper`."""

    @staticmethod
    def associated_class() -> type[IppoPaper]:
        """Return :class:`IppoPaper`, the algorithm that this configuration builds."""
        return IppoPaper


@dataclass
class MappoPaperConfig(PaperPpoConfig, MappoConfig):
    """Configuration of :class:`MappoPaper`."""

    @staticmethod
    def associated_class() -> type[MappoPaper]:
        """Return :class:`MappoPaper`, the algorithm that this configuration builds."""
        return MappoPaper
