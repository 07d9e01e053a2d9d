"""How far the weights that agents run on move, as a callback."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from tensordict import TensorDictBase
from torch import Tensor

from benchmarl_hyper.diagnostics.fitting import DiagnosticCallback, MisfitError
from benchmarl_hyper.measures.weights import moved
from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.running.recording import log_scalars


class StepSizesCallback(DiagnosticCallback):
    """Log how far the weights that the agents of a policy run on have moved, at every evaluation.

    ``eval/<group>/step_common`` is how far all agents have moved together since the last
    evaluation, and ``step_own`` is how far they have moved apart: the root mean square over weights
    of the mean change over agents, and of each agent's change less this mean. If the own part is
    small, agents train like one network; if it is as large as the common part, they train like
    separate ones. Policies of our models are measured, before or behind other models of a sequence
    too. Models that generate weights for each observation are passed over.
    """

    not_pickled: ClassVar[dict[str, Any]] = {"weights": {}}

    def __init__(self) -> None:
        super().__init__()
        self.weights: dict[str, Tensor] = {}  # at the last evaluation, [n, p], by group

    @torch.no_grad()
    def on_setup(self) -> None:
        """Remember the initial weights."""
        for group in self.experiment.group_map:
            with self.fitting(group):
                self.weights[group] = self._weights(group)

    @torch.no_grad()
    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Compare the weights of every group with those of the last evaluation."""
        for group, before in self.weights.items():
            self.weights[group] = self._weights(group)
            common, own = moved(before, self.weights[group])
            values = {"step_common": common.item(), "step_own": own.item()}
            log_scalars(self.experiment, "eval", group, values)

    def _weights(self, group: str) -> Tensor:
        """Return weights ``[n, p]``; in a sequence, those of the model nearest to the action."""
        run = self.experiment
        modules = run.algorithm.get_policy_for_loss(group).modules()
        models = [module for module in modules if isinstance(module, GeneratedMlp)]
        of_all = [model for model in models if model.n_agents == len(run.group_map[group])]
        if not of_all or not of_all[-1].generates_alone:
            raise MisfitError(
                f"no model of its policy ({run.model_name}) has weights for each of all agents"
            )
        parameters = of_all[-1].agent_parameters()
        return torch.cat([x.flatten(1) for x in parameters.values(True, True)], 1).cpu()

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the weights at the last evaluation to a checkpoint."""
        state_dict["step_sizes_weights"] = self.weights

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the weights at the last evaluation from a checkpoint."""
        self.weights = state_dict.get("step_sizes_weights", self.weights)
