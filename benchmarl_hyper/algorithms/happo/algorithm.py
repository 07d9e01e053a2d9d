"""HAPPO (arXiv 2109.11251, 2304.09870) as a BenchMARL algorithm."""

from __future__ import annotations

import random
from dataclasses import MISSING, dataclass
from typing import Any

from benchmarl.algorithms import Mappo, MappoConfig
from benchmarl.models.common import ModelConfig
from tensordict import TensorDictBase
from tensordict.nn import TensorDictModule
from torch import Tensor

from benchmarl_hyper.algorithms.advantages import with_advantages
from benchmarl_hyper.algorithms.happo.actors import OwnModelsConfig
from benchmarl_hyper.algorithms.happo.loss import HappoLoss
from benchmarl_hyper.algorithms.shipped_config import ShippedConfig
from benchmarl_hyper.algorithms.value_norm import NormalisedValues

ADVANTAGE_EPS = 1e-5  # as in HARL, the authors' code


class Happo(NormalisedValues, Mappo):
    """MAPPO whose agents learn one after the other, in a random order for every batch.

    Each agent has a policy model of its own, whatever the kind of model and whatever
    ``experiment.share_policy_params`` says. The critic is MAPPO's. All agents of a group use one
    advantage, which is the mean of the agents' advantages. In its turn, every agent makes
    ``experiment.on_policy_n_minibatch_iters`` passes over the batch. The critic makes as many.

    Args:
        normalize_advantage: whether the advantages of a batch are scaled to mean 0 and standard
            deviation 1.
        clip_value: whether the critic's values may move by at most ``clip_epsilon`` per batch.
        **kwargs: ``value_norm`` of :class:`NormalisedValues`, and the arguments of
            :class:`benchmarl.algorithms.Mappo`.
    """

    def __init__(self, normalize_advantage: bool, clip_value: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.normalize_advantage = normalize_advantage
        self.clip_value = clip_value

    def _get_policy_for_loss(
        self, group: str, model_config: ModelConfig, continuous: bool
    ) -> TensorDictModule:
        return super()._get_policy_for_loss(group, OwnModelsConfig(model_config), continuous)

    def _get_loss(
        self, group: str, policy_for_loss: TensorDictModule, continuous: bool
    ) -> tuple[HappoLoss, bool]:
        loss = HappoLoss(
            actor=policy_for_loss,
            critic=self.get_critic(group),
            clip_epsilon=self.clip_epsilon,
            entropy_coeff=self.entropy_coef,
            critic_coeff=self.critic_coef,
            loss_critic_type=self.loss_critic_type,
            clip_value=self.clip_value,
        )
        with_advantages(loss, self, group)
        loss.begin(range(len(self.group_map[group])), calls_per_turn=1)
        self.with_moments(loss)
        return loss, False

    def process_batch(self, group: str, batch: TensorDictBase) -> TensorDictBase:
        """Return the batch with the team's advantages, and start the agents' turns on it.

        Args:
            group: name of the group.
            batch: what was collected, ``[*batch]``.
        """
        batch = super().process_batch(group, batch)
        key = (group, "advantage")
        batch.set(key, self._of_team(batch.get(key)))
        order, config = self._draw_order(group), self.experiment_config
        steps_per_pass = -(-config.train_batch_size(True) // config.train_minibatch_size(True))
        passes = config.n_optimizer_steps(True)
        self.get_loss_and_updater(group)[0].begin(order, passes * steps_per_pass)
        return batch

    def process_loss_vals(self, group: str, loss_vals: TensorDictBase) -> TensorDictBase:
        """Return MAPPO's losses; after the first turn, without the critic's, so that it rests.

        Args:
            group: name of the group.
            loss_vals: what the loss returned for a minibatch.
        """
        self.get_loss_and_updater(group)[0].step()
        loss_vals = super().process_loss_vals(group, loss_vals)
        if not loss_vals["loss_critic"].requires_grad:
            del loss_vals["loss_critic"]
        return loss_vals

    def _of_team(self, advantages: Tensor) -> Tensor:
        """Return the mean over agents for every agent, ``[*batch, n, 1]``, scaled if asked."""
        advantage = advantages.mean(-2, keepdim=True)
        if self.normalize_advantage:
            deviation = advantage.std(correction=0)
            advantage = (advantage - advantage.mean()) / (deviation + ADVANTAGE_EPS)
        return advantage.expand_as(advantages)

    def _draw_order(self, group: str) -> list[int]:
        """Return a random order of the agents, a new one for every iteration.

        It depends on the seed, the group and the iteration alone. So a resumed run continues the
        sequence of orders, and torch's random state is not touched.
        """
        agents = range(len(self.group_map[group]))
        seed = f"{self.experiment.seed} {group} {self.experiment.n_iters_performed}"
        return random.Random(seed).sample(agents, len(agents))


@dataclass
class HappoConfig(ShippedConfig, MappoConfig):
    """Configuration of :class:`Happo`."""

    normalize_advantage: bool = MISSING  # type: ignore[assignment]
    clip_value: bool = MISSING  # type: ignore[assignment]
    value_norm: bool = MISSING  # type: ignore[assignment]

    @staticmethod
    def associated_class() -> type[Happo]:
        """Return :class:`Happo`, the algorithm that this configuration builds."""
        return Happo
