"""The loss of MATD3 and ITD3: torchrl's TD3 loss with a policy that may wait for its turn."""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDictBase
from tensordict.nn import TensorDictModule, TensorDictParams
from torch import Tensor
from torchrl.objectives import TD3Loss


class DelayedTd3Loss(TD3Loss):
    """torchrl's TD3 loss, which also counts updates, so that the policy can wait for its turn.

    Args:
        policy_delay: number of updates of the critics for each update of the policy.
        policy_value: ``"first"`` if the policy learns from the first critic, as torchrl has it, or
            ``"mean"`` if it learns from the mean of all critics.
        **kwargs: the arguments of :class:`~torchrl.objectives.TD3Loss`.
    """

    # torchrl warns if the class itself does not declare its networks.
    actor_network: TensorDictModule
    actor_network_params: TensorDictParams
    target_actor_network_params: TensorDictParams
    qvalue_network: TensorDictModule
    qvalue_network_params: TensorDictParams
    target_qvalue_network_params: TensorDictParams
    n_updates: Tensor

    def __init__(self, policy_delay: int, policy_value: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.policy_delay, self.policy_value = policy_delay, policy_value
        self.register_buffer("n_updates", torch.zeros((), dtype=torch.int64))  # checkpoints have it

    @property
    def policy_rests(self) -> bool:
        """Whether the current update leaves the policy and all targets as they are."""
        return self.n_updates.item() % self.policy_delay != 0

    def actor_loss(self, tensordict: TensorDictBase) -> tuple[Tensor, dict]:
        """Return the loss of the policy on a minibatch, and the critics' values to log.

        Args:
            tensordict: minibatch ``[*batch]``.
        """
        if self.policy_value == "first":
            return super().actor_loss(tensordict)
        seen: Any = tensordict.select(*self.actor_network.in_keys, strict=False)
        with self.actor_network_params.to_module(self.actor_network):
            seen = self.actor_network(seen).select(*self.qvalue_network.in_keys, strict=False)
        seen = seen.expand(self.num_qvalue_nets, *seen.batch_size)
        said = self._vmap_qvalue_network00(seen, self._cached_detach_qvalue_network_params)
        values = said.get(self.tensor_keys.state_action_value).squeeze(-1)
        loss = -values.mean(0)
        loss = loss if self.reduction == "none" else loss.mean()
        return loss, {"state_action_value_actor": values.detach()}

    def forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Return the losses of policy and critics on a minibatch, and the values to log.

        Args:
            tensordict: minibatch ``[*batch]``.
        """
        losses = super().forward(tensordict)
        # BenchMARL writes the gradient's norm here after each step of the policy, and stacks the
        # steps of an iteration. So the steps in which the policy rests need the key, too.
        losses["grad_norm_loss_actor"] = torch.zeros_like(losses["loss_actor"].detach()).mean()
        return losses
