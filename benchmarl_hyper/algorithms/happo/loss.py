"""The loss of HAPPO: torchrl's clipped PPO loss, one agent at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from tensordict.nn import TensorDictModule, TensorDictParams
from torch import Tensor
from torch.nn.functional import one_hot
from torchrl.objectives import ClipPPOLoss

from benchmarl_hyper.algorithms.happo.actors import OwnModels


class HappoLoss(ClipPPOLoss):
    """The PPO loss of the agent whose turn it is, weighted by what those before it have changed.

    With agent i's ratio ``r_i = pi_i(a_i | o_i) / pi_i_old(a_i | o_i)``, the agent k whose turn it
    is and the set D of those that had theirs on this batch, agent k minimises::

        - E[ M min(r_k A, clip(r_k, 1 - epsilon, 1 + epsilon) A) ] - c H(pi_k),
        M = product of r_i over i in D

    M has no gradient and is not clipped. Agents in D no longer move, so that M is the same on a
    minibatch as on the batch it is taken from. The critic learns during the first turn: neither
    it nor the advantages, which are those of before the first turn, read what the actors do.

    Made like :class:`~torchrl.objectives.ClipPPOLoss`, with an actor on :class:`OwnModels`. What
    is logged is the learning agent's, and of M the mean and the largest value.
    """

    # torchrl warns about networks that the class itself does not name.
    actor_network: TensorDictModule
    actor_network_params: TensorDictParams
    target_actor_network_params: TensorDictParams
    critic_network: TensorDictModule
    critic_network_params: TensorDictParams
    target_critic_network_params: TensorDictParams

    def begin(self, order: Sequence[int], calls_per_turn: int) -> None:
        """Start a new batch; also to be called before the first use.

        Args:
            order: the agents, first to learn first.
            calls_per_turn: optimiser steps of each.
        """
        self.order, self.calls_per_turn, self.calls = order, calls_per_turn, 0

    @property
    def steps_per_call(self) -> int:
        """How many optimiser steps are taken where BenchMARL takes one: one for each agent."""
        return len(self.order)

    def step(self) -> None:
        """Count one optimiser step; after the last of a turn it is the next agent's."""
        self.calls += 1

    @property
    def turn(self) -> int:
        """The place in the order of the agent that learns; the last one's after its turn."""
        return min(self.calls // self.calls_per_turn, len(self.order) - 1)

    def forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        """The losses on a minibatch, and what is to be logged.

        Args:
            tensordict: ``[*batch]`` with advantages, as BenchMARL's PPO prepares it.
        """
        tensordict = tensordict.clone(recurse=False)
        before, agent = self.order[: self.turn], self.order[self.turn]
        advantage: Any = tensordict.get(self.tensor_keys.advantage)  # [*batch, n, 1]
        with self._own_models().only(agent):
            log_ratio, distribution, kl = self._log_weight(tensordict, advantage.shape[:-1])
        factor = log_ratio.detach()[..., list(before), :].sum(-2, keepdim=True).exp()
        clipped = log_ratio.clamp(*self._clip_bounds)
        gain = factor * torch.min(log_ratio.exp() * advantage, clipped.exp() * advantage)
        entropy = self._get_entropy(distribution, advantage.shape[:-1])
        by_agent = {
            "loss_objective": -gain,
            "loss_entropy": self._weighted_loss_entropy(entropy),
            "entropy": entropy.detach(),
            "clip_fraction": (clipped != log_ratio).to(gain),
            "kl_approx": kl.detach(),
        }
        losses = {key: self._of_learner(x, agent) for key, x in by_agent.items()}
        return TensorDict(
            {
                **losses,
                "ratio_factor": factor.mean(),
                "ratio_factor_max": factor.max(),
                **self._critic_losses(tensordict),
            }
        )

    def _of_learner(self, x: Tensor, agent: int) -> Tensor:
        """The mean over one agent's entries of ``[*batch, n, 1]``."""
        n_agents = x.shape[-2]
        own = n_agents * one_hot(torch.tensor(agent, device=x.device), n_agents).unsqueeze(-1)
        own = x * own.to(x)
        return own if self.reduction == "none" else own.mean()

    def _critic_losses(self, tensordict: TensorDictBase) -> dict[str, Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.turn == 0):
            loss, clip_fraction, explained_variance = self.loss_critic(tensordict)
        named = {
            "loss_critic": loss if self.reduction == "none" else loss.mean(),
            # BenchMARL puts the norm of every step here, and stacks the steps of an iteration: so
            # those in which the critic rests need one, too.
            "grad_norm_loss_critic": torch.zeros_like(loss).mean(),
            "value_clip_fraction": clip_fraction,
            "explained_variance": explained_variance,
        }
        return {key: x for key, x in named.items() if x is not None}

    def _own_models(self) -> OwnModels:
        return next(part for part in self.actor_network.modules() if isinstance(part, OwnModels))
