"""The loss of HAPPO: torchrl's clipped PPO loss, for one agent at a time."""

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
    """The clipped PPO loss of one agent, weighted by how the agents before it have changed.

    The ratio of agent i is ``r_i = pi_i(a_i | o_i) / pi_i_old(a_i | o_i)``, and D is the set of
    agents that have had their turn on this batch. The agent k whose turn it is minimises
    (HAPPO, arXiv 2109.11251)::

        - E[ M min(r_k A, clip(r_k, 1 - epsilon, 1 + epsilon) A) ] - c H(pi_k),
        M = product of r_i over i in D

    M has no gradient and is not clipped. Agents in D no longer move, so M is the same whether it
    is computed on a minibatch or on the whole batch. The critic learns during the first turn. It
    need not wait for the others: neither the critic nor the advantages, which are computed before
    the first turn, depend on what the actors learn.

    The arguments are those of :class:`~torchrl.objectives.ClipPPOLoss`; the actor must contain an
    :class:`OwnModels`. Logged are the values of the learning agent, and the mean and the largest
    value of M.
    """

    # torchrl warns if the class itself does not declare its networks.
    actor_network: TensorDictModule
    actor_network_params: TensorDictParams
    target_actor_network_params: TensorDictParams
    critic_network: TensorDictModule
    critic_network_params: TensorDictParams
    target_critic_network_params: TensorDictParams

    def begin(self, order: Sequence[int], calls_per_turn: int) -> None:
        """Start the turns on a new batch; call it once before the first use, too.

        Args:
            order: indices of the agents, in the order of their turns.
            calls_per_turn: number of optimiser steps in a turn.
        """
        self.order, self.calls_per_turn, self.calls = order, calls_per_turn, 0

    @property
    def steps_per_call(self) -> int:
        """Number of optimiser steps to take where BenchMARL takes one: one for each agent."""
        return len(self.order)

    def step(self) -> None:
        """Count one optimiser step; after the last step of a turn, the next agent learns."""
        self.calls += 1

    @property
    def turn(self) -> int:
        """Place in the order of the agent that learns; the last place after all turns."""
        return min(self.calls // self.calls_per_turn, len(self.order) - 1)

    def forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Return the losses on a minibatch, and the values to log.

        Args:
            tensordict: minibatch ``[*batch]`` with advantages, as BenchMARL's PPO prepares it.
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
        """Return the mean over one agent's entries of ``x``, ``[*batch, n, 1]``."""
        n_agents = x.shape[-2]
        own = n_agents * one_hot(torch.tensor(agent, device=x.device), n_agents).unsqueeze(-1)
        own = x * own.to(x)
        return own if self.reduction == "none" else own.mean()

    def _critic_losses(self, tensordict: TensorDictBase) -> dict[str, Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.turn == 0):
            loss, clip_fraction, explained_variance = self.loss_critic(tensordict)
        named = {
            "loss_critic": loss if self.reduction == "none" else loss.mean(),
            # BenchMARL writes the gradient's norm here after each step of the critic, and stacks
            # the steps of an iteration. So the steps in which the critic rests need the key, too.
            "grad_norm_loss_critic": torch.zeros_like(loss).mean(),
            "value_clip_fraction": clip_fraction,
            "explained_variance": explained_variance,
        }
        return {key: x for key, x in named.items() if x is not None}

    def _own_models(self) -> OwnModels:
        return next(part for part in self.actor_network.modules() if isinstance(part, OwnModels))
