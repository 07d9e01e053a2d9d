"""One seed among many: an experiment of its own, which is trained with others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from tensordict import TensorDictBase
from torch import Tensor
from torch.utils._pytree import tree_map
from torchrl.envs import EnvBase

from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.callbacks import EndCallback
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.seeds_at_once.environments import SharedEnvironments


class SeedExperiment(ResumableExperiment):
    """One seed of a :class:`SeedBatch`.

    It has networks, optimisers, callbacks, a logger and a folder of its own. The batch collects,
    trains and evaluates in its place, and tells it what came out.

    Args:
        *args: arguments of :class:`ResumableExperiment`.
        environments: the environments of all seeds.
        **kwargs: more arguments of :class:`ResumableExperiment`.
    """

    def __init__(self, *args: Any, environments: SharedEnvironments, **kwargs: Any):
        self.environments = environments
        super().__init__(*args, **kwargs)

    def _setup_collector(self) -> None:
        self.policy = self.algorithm.get_policy_for_collection()
        self.group_policies = {
            group: self.policy.select_subsequence(out_keys=[(group, "action")])[0]
            for group in self.group_map
        }
        self.collector = _NoCollector(self)

    def state_dict(self) -> OrderedDict:
        """Return the state as that of an experiment alone, in tensors of its own."""
        return tree_map(lambda x: x.clone() if isinstance(x, Tensor) else x, super().state_dict())

    def receive(self, batch: TensorDictBase) -> None:
        """Take note of what was collected for this seed, ``[environments, time]``."""
        self.total_frames += batch.numel()
        self.mean_return = self.logger.log_collection(
            batch, total_frames=self.total_frames, task=self.task, step=self.n_iters_performed
        )
        self._on_batch_collected(batch)

    def trained(self, group: str, values: TensorDictBase) -> None:
        """Take note of the values of all steps of an iteration, ``[steps]``."""
        self.logger.log_training(group, values, step=self.n_iters_performed)
        self._on_train_end(values, group)

    def evaluated(self, rollouts: Sequence[TensorDictBase], seconds: float) -> None:
        """Take note of the episodes of an evaluation."""
        self._check_folder()
        self.logger.log({"timers/evaluation_time": seconds}, step=self.n_iters_performed)
        self.logger.log_evaluation(
            rollouts, step=self.n_iters_performed, total_frames=self.total_frames
        )
        self._on_evaluation_end(rollouts)

    def end_iteration(self, collecting: float, training: float, whole: float) -> None:
        """Take note of this seed's share of the time of an iteration, in seconds."""
        self.total_time += whole
        timers = {
            "timers/collection_time": collecting,
            "timers/training_time": training,
            "timers/iteration_time": whole,
            "timers/total_time": self.total_time,
            "counters/current_frames": self.total_frames // (self.n_iters_performed + 1),
            "counters/total_frames": self.total_frames,
            "counters/iter": self.n_iters_performed,
        }
        self.logger.log(timers, step=self.n_iters_performed)
        self.n_iters_performed += 1
        self.logger.commit()

    def write_checkpoint(self) -> None:
        """Write a checkpoint, unless there is one of these frames."""
        self._check_folder()
        if self._checkpoints.frames != self.total_frames:
            self._checkpoints.write(self._whole_state, self.total_frames)

    def end_training(self) -> None:
        """Measure what is due after the last evaluation."""
        for callback in self.callbacks:
            absolute = isinstance(callback, AbsoluteMetricCallback)  # measured with all seeds
            if isinstance(callback, EndCallback) and not absolute:
                callback.on_training_end()


class _NoCollector:
    """Stands where BenchMARL and checkpoints look for a collector."""

    def __init__(self, run: SeedExperiment):
        self.run = run

    @property
    def env(self) -> EnvBase:
        return self.run.environments.training(self.run)[0]

    def state_dict(self) -> dict[str, Any]:
        run = self.run
        return {
            "policy_state_dict": run.policy.state_dict(),
            "env_state_dict": self.env.transform.state_dict(),
            "frames": run.total_frames,
            "iter": run.n_iters_performed - 1,  # torchrl counts from -1
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing: what it holds is loaded with the losses."""

    def update_policy_weights_(self) -> None:
        """Do nothing: there is no copy of the policy."""

    def reset(self) -> None:
        """Do nothing: the batch begins new episodes."""

    def shutdown(self) -> None:
        """Do nothing: the batch closes the environment."""
