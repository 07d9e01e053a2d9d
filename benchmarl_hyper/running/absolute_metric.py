"""The absolute metric: the best policy of a run, measured on episodes that did not select it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from benchmarl.utils import local_seed
from tensordict import TensorDictBase
from torch import Tensor

from benchmarl_hyper.running.callbacks import EndCallback
from benchmarl_hyper.running.environment_state import environment_state, load_environment_state
from benchmarl_hyper.running.episodes import fresh_episodes, info_metrics, return_metrics
from benchmarl_hyper.running.experiment import derived_seed
from benchmarl_hyper.running.recording import ResultsWriter

TIMES = 10  # times the episodes of an evaluation, as in Gorsane et al. 2022
PURPOSE = 2**31  # of the derived seed; smaller numbers are for the iterations of a run


class AbsoluteMetricCallback(EndCallback):
    """Keep the policy of the best evaluation, and measure it again when training has ended.

    The absolute metric (Gorsane et al. 2022, arXiv 2209.10485, section 4.1) is the return over ten
    times as many episodes as an evaluation has. None of them was used to select the policy.
    BenchMARL's metric of that name is the maximum over single episodes of all evaluations, which is
    biased upwards.

    Attributes:
        best: the mean ``return`` of the best evaluation, its ``frames``, and the states of its
            ``policy`` and of its ``environment``'s transforms; None before the first evaluation.
    """

    not_pickled: ClassVar = {"best": None}

    def __init__(self) -> None:
        super().__init__()
        self.best: dict[str, Any] | None = None

    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Keep the policy if it did better than all earlier ones; of equal ones, keep the first."""
        run = self.experiment
        score = return_metrics(rollouts, run.group_map)["return"].mean().item()
        if not math.isnan(score) and (self.best is None or score > self.best["return"]):
            self.best = {
                "return": score,
                "frames": run.total_frames,
                "policy": policy_state(run.policy),
                "environment": environment_state(run.test_env),
            }

    def on_training_end(self) -> None:
        """Write the absolute metric to the run's results."""
        if self.best is not None and self._writer() is not None:
            best = self.best.get("environment")  # older checkpoints do not have it
            self.write(self.measure(self.best["policy"], best))

    def write(self, metrics: dict[str, Tensor]) -> None:
        """Write the metrics of the best policy, by name, each ``[episodes]``."""
        if (writer := self._writer()) is not None:
            writer.write_absolute(metrics)

    def _writer(self) -> ResultsWriter | None:
        writer = self.experiment.logger.json_writer
        return writer if isinstance(writer, ResultsWriter) else None

    def measure(
        self, policy: dict[str, Any], environment: dict[str, Any] | None = None
    ) -> dict[str, Tensor]:
        """Return the metrics of fresh episodes of a policy, by name, each ``[episodes]``.

        The experiment is left as it was.

        Args:
            policy: state dict of the policy.
            environment: state of the environment's transforms; None for the current one.
        """
        run = self.experiment
        last = policy_state(run.policy), environment_state(run.test_env)
        run.policy.load_state_dict(policy)
        try:
            if environment is not None:
                load_environment_state(run.test_env, environment)
            with local_seed():
                parts = [
                    return_metrics(episodes, run.group_map) | info_metrics(episodes)
                    for episodes in fresh_episodes(run, TIMES, derived_seed(run.seed, PURPOSE))
                ]
        finally:
            run.policy.load_state_dict(last[0])
            load_environment_state(run.test_env, last[1])
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the best policy to a checkpoint."""
        state_dict["best_evaluation"] = self.best

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best policy from a checkpoint."""
        self.best = state_dict.get("best_evaluation")


def policy_state(policy: torch.nn.Module) -> dict[str, Any]:
    """Return the state dict of a policy, in tensors of its own."""
    return {
        key: value.clone() if isinstance(value, Tensor) else value
        for key, value in policy.state_dict().items()
    }
