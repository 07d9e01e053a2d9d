"""A2C (arXiv 1602.01783) for teams: MAA2C with a centralised critic, IA2C with an own one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass
from typing import Any

import torch
from benchmarl.algorithms import Ippo, Mappo
from benchmarl.algorithms.common import Algorithm
from tensordict import TensorDictBase
from tensordict.nn import TensorDictModule
from torchrl.objectives import A2CLoss

from benchmarl_hyper.algorithms.advantages import with_advantages
from benchmarl_hyper.algorithms.shipped_config import ShippedConfig

OPTIMIZERS = ("adam", "rmsprop")


class A2c(Algorithm):
    """What MAA2C and IA2C have in common; a mix-in for BenchMARL's MAPPO and IPPO.

    The policy takes one step along ``E[grad log pi(a | o) A] + c grad H(pi)`` per batch, and the
    critic one step towards the returns. Advantages ``A`` come from generalised advantage
    estimation. With ``lmbda=1``, it gives n-step returns: the rewards until the end of the batch's
    ``n`` steps, and the value of what follows.

    Args:
        optimizer: ``"adam"``, with ``experiment.adam_eps`` and ``experiment.adam_extra_kwargs``, or
            ``"rmsprop"``, with ``experiment.adam_eps`` as its epsilon.
        rmsprop_alpha: share of the past in RMSprop's mean of squared gradients.
        **kwargs: the arguments of :class:`benchmarl.algorithms.Ippo` or
            :class:`benchmarl.algorithms.Mappo`, without those that A2C does not have.

    Raises:
        ValueError: if the settings of the experiment make more than one step per batch.
    """

    entropy_coef: float
    critic_coef: float
    loss_critic_type: str
    lmbda: float
    get_critic: Callable[[str], TensorDictModule]

    def __init__(self, optimizer: str, rmsprop_alpha: float, **kwargs: Any):
        super().__init__(clip_epsilon=0.0, minibatch_advantage=False, **kwargs)
        self.optimizer, self.rmsprop_alpha = optimizer, rmsprop_alpha
        self._check_takes_one_step()

    def _check_takes_one_step(self) -> None:
        config, name = self.experiment_config, type(self).__name__.lower()
        frames, minibatch = config.train_batch_size(True), config.train_minibatch_size(True)
        passes = config.n_optimizer_steps(True)
        if passes > 1 or minibatch < frames:
            raise ValueError(
                f"{name} takes one step per batch, since its gradient is right only for the policy "
                f"that acted; experiment.on_policy_n_minibatch_iters={passes} and "
                f"experiment.on_policy_minibatch_size={minibatch} make "
                f"{passes * -(-frames // minibatch)}. Set them to 1 and {frames}, or choose "
                f"algorithm={name.replace('a2c', 'ppo')}"
            )

    def _get_loss(
        self, group: str, policy_for_loss: TensorDictModule, continuous: bool
    ) -> tuple[A2CLoss, bool]:
        loss = A2CLoss(
            actor_network=policy_for_loss,
            critic_network=self.get_critic(group),
            entropy_coeff=self.entropy_coef,
            critic_coeff=self.critic_coef,
            loss_critic_type=self.loss_critic_type,
        )
        return with_advantages(loss, self, group), False

    def _get_policy_for_collection(
        self, policy_for_loss: TensorDictModule, group: str, continuous: bool
    ) -> TensorDictModule:
        # BenchMARL has made Adam by now, and asks no algorithm which optimiser it wants.
        if self.optimizer == "rmsprop":
            self.experiment.optimizers[group] = {
                name: self._rmsprop(adam)
                for name, adam in self.experiment.optimizers[group].items()
            }
        return policy_for_loss

    def _rmsprop(self, adam: torch.optim.Optimizer) -> torch.optim.RMSprop:
        parameters = [p for group in adam.param_groups for p in group["params"]]
        config = self.experiment_config
        return torch.optim.RMSprop(
            parameters, lr=config.lr, alpha=self.rmsprop_alpha, eps=config.adam_eps
        )

    def process_loss_vals(self, group: str, loss_vals: TensorDictBase) -> TensorDictBase:
        """Return the losses, with the entropy's part of the policy's loss added to it.

        Args:
            group: name of the group.
            loss_vals: what the loss returned for a batch.
        """
        if "loss_entropy" not in loss_vals:  # torchrl leaves it out where its weight is 0
            return loss_vals
        return super().process_loss_vals(group, loss_vals)


class Maa2c(A2c, Mappo):
    """A2C with a centralised critic, which sees what all agents of a group observe."""


class Ia2c(A2c, Ippo):
    """A2C with independent critics, which see what one agent observes."""


@dataclass
class A2cConfig(ShippedConfig):
    """The fields of the configurations of MAA2C and IA2C.

    Raises:
        ValueError: if ``optimizer`` is unknown.
    """

    seeds_at_once = True  # for several seeds in one process

    share_param_critic: bool = MISSING  # type: ignore[assignment]
    entropy_coef: float = MISSING  # type: ignore[assignment]
    critic_coef: float = MISSING  # type: ignore[assignment]
    loss_critic_type: str = MISSING  # type: ignore[assignment]
    lmbda: float = MISSING  # type: ignore[assignment]
    scale_mapping: str = MISSING  # type: ignore[assignment]
    use_tanh_normal: bool = MISSING  # type: ignore[assignment]
    optimizer: str = MISSING  # type: ignore[assignment]
    rmsprop_alpha: float = MISSING  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"algorithm.optimizer must be {' or '.join(OPTIMIZERS)}, got {self.optimizer!r}"
            )

    @staticmethod
    def on_policy() -> bool:
        """Return True: A2C learns from what the present policy has collected."""
        return True

    @staticmethod
    def supports_continuous_actions() -> bool:
        """Return True."""
        return True

    @staticmethod
    def supports_discrete_actions() -> bool:
        """Return True."""
        return True


@dataclass
class Maa2cConfig(A2cConfig):
    """Configuration of :class:`Maa2c`."""

    @staticmethod
    def has_centralized_critic() -> bool:
        """Return True: the critic sees the whole group."""
        return True

    @staticmethod
    def associated_class() -> type[Maa2c]:
        """Return :class:`Maa2c`, the algorithm that this configuration builds."""
        return Maa2c


@dataclass
class Ia2cConfig(A2cConfig):
    """Configuration of :class:`Ia2c`."""

    @staticmethod
    def has_independent_critic() -> bool:
        """Return True: each agent has a critic of its own."""
        return True

    @staticmethod
    def associated_class() -> type[Ia2c]:
        """Return :class:`Ia2c`, the algorithm that this configuration builds."""
        return Ia2c
