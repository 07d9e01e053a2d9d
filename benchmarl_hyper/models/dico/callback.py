"""The action-space loss of DiCo, which is minimised after every training step."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from benchmarl_hyper.models.common.method_callback import MethodCallback
from benchmarl_hyper.models.dico.model import Dico
from benchmarl_hyper.running.experiment_parts import policy_model


class DicoCallback(MethodCallback):
    """Pull the means of a ``dico`` policy back into the range of actions, and log its diversity.

    A mean may leave the range, because deviations are added after the shared mean is squashed.
    After every training step, a separate Adam minimises :func:`action_space_loss`. The estimate of
    diversity does not change meanwhile. ``estimated_snd``, ``scaling`` and ``loss_action_space``
    are logged under ``train/<group>``.

    Args:
        action_loss_lr: learning rate of this Adam; None to leave this loss out.
    """

    not_pickled: ClassVar = {"optimisers": {}}

    def __init__(self, action_loss_lr: float | None):
        super().__init__()
        self.action_loss_lr = action_loss_lr
        self.optimisers: dict[str, torch.optim.Adam] = {}

    def on_setup(self) -> None:
        """Create an optimiser for the policy of each group."""
        for group in self.policy_models(Dico):
            policy = self.experiment.algorithm.get_policy_for_loss(group)
            if self.action_loss_lr is not None:
                parameters = list(policy.parameters())
                self.optimisers[group] = torch.optim.Adam(parameters, self.action_loss_lr)

    def on_train_step(self, batch: TensorDictBase, group: str) -> TensorDict | None:
        """Take a step on the action-space loss of a group, and return the values to log."""
        dico = self.policy_models(Dico).get(group)
        if dico is None:
            return None
        estimate = dico.estimate.clone()
        values = {"estimated_snd": estimate, "scaling": dico.scaling(estimate)}
        if group in self.optimisers:
            values["loss_action_space"] = self._step(batch, group, dico)
        return TensorDict(values)

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the optimisers' state to a checkpoint."""
        state_dict["dico"] = {g: adam.state_dict() for g, adam in self.optimisers.items()}

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the optimisers' state from a checkpoint."""
        for group, state in state_dict["dico"].items():
            self.optimisers[group].load_state_dict(state)

    def _step(self, batch: TensorDictBase, group: str, dico: Dico) -> Tensor:
        model = policy_model(self.experiment.algorithm.get_policy_for_loss(group))
        with dico.fixed_estimate():
            out = model(batch.select(*model.in_keys)).get(model.out_key)
        loss = action_space_loss(out[..., : dico.n_actions], dico.low, dico.high)
        self.optimisers[group].zero_grad()
        loss.backward()
        self.optimisers[group].step()
        self.optimisers[group].zero_grad()
        return loss.detach()


def action_space_loss(loc: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the mean over samples of the squared distance by which action means leave their box.

    The distance of a sample is that of the agent which is furthest outside.

    Args:
        loc: means of actions, ``[*batch, n, actions]``.
        low: lower bounds of the box, ``[n, actions]``.
        high: upper bounds of the box, ``[n, actions]``.

    Returns:
        A scalar.
    """
    overflow = loc - torch.maximum(torch.minimum(loc, high), low)
    return overflow.norm(dim=-1).amax(-1).square().mean()
