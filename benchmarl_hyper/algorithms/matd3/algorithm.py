"""TD3 (arXiv 1802.09477) for teams, as BenchMARL algorithms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import MISSING, dataclass
from typing import Any

from benchmarl.algorithms import Iddpg, IddpgConfig, Maddpg, MaddpgConfig
from benchmarl.algorithms.common import Algorithm
from tensordict import TensorDictBase
from tensordict.nn import TensorDictModule, TensorDictSequential
from tensordict.utils import NestedKey
from torchrl.modules import AdditiveGaussianModule
from torchrl.objectives import LossModule, ValueEstimators

from benchmarl_hyper.algorithms.matd3.loss import DelayedTd3Loss
from benchmarl_hyper.algorithms.shipped_config import ShippedConfig

POLICY_VALUES = ("first", "mean")


class Td3(Algorithm):
    """What MATD3 and ITD3 have in common; a mix-in for BenchMARL's MADDPG and IDDPG.

    In each update, critics ``Q_k`` learn ``r + gamma min_k Q'_k(o', a' + e)``, where ``'`` marks
    slowly updated copies and ``e`` is clipped noise. In every ``policy_delay``-th update, the
    policy learns to maximise ``Q_1``, and the copies are updated.

    Args:
        num_qvalue_nets: number of critics.
        policy_noise: standard deviation of the noise on target actions, in units of the action.
        noise_clip: largest absolute value of this noise.
        exploration_noise: standard deviation of the noise on collected actions. It stays constant:
            ``experiment.exploration_eps_init`` and its kin have no effect.
        policy_delay: number of updates of the critics for each update of the policy and of the
            targets.
        policy_value: ``"first"`` if the policy maximises the first critic, as published, or
            ``"mean"`` for the mean of all critics.
        **kwargs: the arguments of :class:`benchmarl.algorithms.Maddpg` or
            :class:`benchmarl.algorithms.Iddpg`.
    """

    loss_function: str
    delay_value: bool
    get_value_module: Callable[[str], TensorDictModule]

    def __init__(
        self,
        num_qvalue_nets: int,
        policy_noise: float,
        noise_clip: float,
        exploration_noise: float,
        policy_delay: int,
        policy_value: str,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_qvalue_nets = num_qvalue_nets
        self.policy_noise, self.noise_clip = policy_noise, noise_clip
        self.exploration_noise = exploration_noise
        self.policy_delay, self.policy_value = policy_delay, policy_value

    def _get_loss(
        self, group: str, policy_for_loss: TensorDictModule, continuous: bool
    ) -> tuple[LossModule, bool]:
        critic = self.get_value_module(group)
        loss = DelayedTd3Loss(
            policy_delay=self.policy_delay,
            policy_value=self.policy_value,
            actor_network=_passing_on(policy_for_loss, critic.in_keys),
            qvalue_network=critic,
            num_qvalue_nets=self.num_qvalue_nets,
            action_spec=self.action_spec[group, "action"],
            policy_noise=self.policy_noise,
            noise_clip=self.noise_clip,
            loss_function=self.loss_function,
            delay_qvalue=self.delay_value,
        )
        entries = ("state_action_value", "action", "reward", "done", "terminated")
        loss.set_keys(**{key: (group, key) for key in entries}, priority=(group, "td_error"))
        loss.make_value_estimator(ValueEstimators.TD0, gamma=self.experiment_config.gamma)
        return loss, True

    def _get_parameters(self, group: str, loss: LossModule) -> dict[str, Iterable]:
        return {
            "loss_actor": list(loss.actor_network_params.flatten_keys().values()),
            "loss_qvalue": list(loss.qvalue_network_params.flatten_keys().values()),
        }

    def _get_policy_for_collection(
        self, policy_for_loss: TensorDictModule, group: str, continuous: bool
    ) -> TensorDictModule:
        # BenchMARL has made the updater of the targets by now, and asks no more questions.
        updater, loss = self.experiment.target_updaters[group], self.experiment.losses[group]
        updater.step = _delayed(updater.step, loss)
        noise = AdditiveGaussianModule(
            spec=self.action_spec,
            annealing_num_steps=1,
            action_key=(group, "action"),
            sigma_init=self.exploration_noise,
            sigma_end=self.exploration_noise,
            device=self.device,
        )
        return TensorDictSequential(*policy_for_loss, noise)

    def process_loss_vals(self, group: str, loss_vals: TensorDictBase) -> TensorDictBase:
        """Count the update, and return the losses; without the policy's where it rests.

        Args:
            group: name of the group.
            loss_vals: what the loss returned for a minibatch.
        """
        loss = self.experiment.losses[group]
        loss.n_updates += 1
        return loss_vals.exclude("loss_actor") if loss.policy_rests else loss_vals


class Matd3(Td3, Maddpg):
    """TD3 with centralised critics, which see what all agents of a group observe and do."""


class Itd3(Td3, Iddpg):
    """TD3 with independent critics, which see what one agent observes and does."""


def _passing_on(policy: TensorDictModule, keys: Iterable[NestedKey]) -> TensorDictModule:
    """Return a policy with the same networks that also passes on what a critic reads.

    torchrl's loss shows critics only what the policy reads and writes, so no global state.
    """
    passing = copy(policy)
    others = [key for key in keys if key not in (*policy.in_keys, *policy.out_keys)]
    passing.in_keys = [*policy.in_keys, *others]
    return passing


def _delayed(step: Callable[[], None], loss: DelayedTd3Loss) -> Callable[[], None]:
    def delayed_step() -> None:
        if not loss.policy_rests:
            step()

    return delayed_step


@dataclass
class Td3Config(ShippedConfig):
    """The fields that :class:`Td3` adds to the configurations of MADDPG and IDDPG.

    Raises:
        ValueError: if ``num_qvalue_nets`` or ``policy_delay`` is not positive, or if
            ``policy_value`` is unknown.
    """

    num_qvalue_nets: int = MISSING  # type: ignore[assignment]
    policy_noise: float = MISSING  # type: ignore[assignment]
    noise_clip: float = MISSING  # type: ignore[assignment]
    exploration_noise: float = MISSING  # type: ignore[assignment]
    policy_delay: int = MISSING  # type: ignore[assignment]
    policy_value: str = MISSING  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for key in ("num_qvalue_nets", "policy_delay"):
            if getattr(self, key) < 1:
                raise ValueError(
                    f"algorithm.{key} must be a positive whole number, got {getattr(self, key)}; "
                    "TD3 as published has 2"
                )
        if self.policy_value not in POLICY_VALUES:
            raise ValueError(
                f"algorithm.policy_value must be {' or '.join(POLICY_VALUES)}, got "
                f"{self.policy_value!r}"
            )


@dataclass
class Matd3Config(Td3Config, MaddpgConfig):
    """Configuration of :class:`Matd3`."""

    @staticmethod
    def associated_class() -> type[Matd3]:
        """Return :class:`Matd3`, the algorithm that this configuration builds."""
        return Matd3


@dataclass
class Itd3Config(Td3Config, IddpgConfig):
    """Configuration of :class:`Itd3`."""

    @staticmethod
    def associated_class() -> type[Itd3]:
        """Return :class:`Itd3`, the algorithm that this configuration builds."""
        return Itd3
