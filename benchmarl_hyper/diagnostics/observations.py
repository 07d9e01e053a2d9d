"""Observations of finished runs, on which the diversity of other runs can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from benchmarl.experiment import Experiment
from tensordict import TensorDict, TensorDictBase

from benchmarl_hyper.diagnostics.policy_outputs import policy_keys, thinned


def record(checkpoints: Sequence[Path], max_steps: int = 1000) -> TensorDictBase:
    """Let the policies of finished runs act without exploration, and return what they read.

    Args:
        checkpoints: checkpoints that BenchMARL wrote, from runs on one task; they are only read.
        max_steps: number of steps to keep from all checkpoints together. A step holds all agents.

    Returns:
        Steps ``[o]`` with the entries that the policies of all groups read, equally many from each
        checkpoint.

    Raises:
        ValueError: if a policy is recurrent, or if the runs are on tasks of different shapes.
    """
    parts = [thinned(_steps(path), max_steps // len(checkpoints)) for path in checkpoints]
    for path, part in zip(checkpoints, parts, strict=True):
        if _shapes(part) != _shapes(parts[0]):
            raise ValueError(
                f"observations of {path} differ in names or sizes from those of {checkpoints[0]}; "
                "record runs on one task at a time"
            )
    return torch.cat(parts)


@torch.no_grad()
def _steps(checkpoint: Path) -> TensorDictBase:
    with TemporaryDirectory() as folder:
        patch = {"save_folder": folder, "loggers": [], "create_json": False}
        run = Experiment.reload_from_file(str(checkpoint), patch)
        if run.algorithm.has_rnn:
            raise ValueError(
                f"{checkpoint} has a recurrent policy, whose observations cannot be used one by "
                "one; leave it out"
            )
        n_rollouts = 1 if run.test_env.batch_size else run.config.evaluation_episodes
        rollouts = [
            run.test_env.rollout(run.max_steps, run.policy, break_when_any_done=False)
            for _ in range(n_rollouts)
        ]
        policies = [run.algorithm.get_policy_for_loss(group) for group in run.group_map]
        run.close()
    keys = [key for policy in policies for key in policy_keys(policy)]
    return torch.cat([rollout.select(*keys).flatten().cpu() for rollout in rollouts])


def _shapes(steps: TensorDictBase) -> dict:
    return {key: value.shape[1:] for key, value in steps.items(True, True)}


def load(file: str | Path) -> TensorDictBase:
    """Load the steps that ``python -m benchmarl_hyper.observations`` wrote to a file."""
    groups = torch.load(file)
    sizes = {group: next(iter(entries.values())).shape[:2] for group, entries in groups.items()}
    steps = {group: TensorDict(entries, sizes[group]) for group, entries in groups.items()}
    return TensorDict(steps, next(iter(sizes.values()))[:1])
