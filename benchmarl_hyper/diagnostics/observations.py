"""Observations of finished runs, on which the diversity of other runs can be compared."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from benchmarl_hyper.diagnostics.policy_outputs import policy_keys, thinned
from benchmarl_hyper.running.checkpoints import loaded, reopened


def record(
    checkpoints: Sequence[Path], max_steps: int = 1000, trust: bool = False
) -> TensorDictBase:
    """Let the policies of finished runs act without exploration, and return what they read.

    Args:
        checkpoints: checkpoints that BenchMARL wrote, from runs on one task; they are only read.
        max_steps: number of steps to keep from all checkpoints together. A step holds all agents.
        trust: whether to read files of the runs that can run any code. Runs of our runner need no
            trust; see :func:`~benchmarl_hyper.running.saved_settings.settings_of`.

    Returns:
        Steps ``[o]`` with the entries that the policies of all groups read, equally many from each
        checkpoint.

    Raises:
        FileNotFoundError: if a checkpoint, or the file with the settings of its run, is missing.
        ValueError: if a file is not a checkpoint, if reading it needs trust, if a policy is
            recurrent, or if the runs are on tasks of different shapes.
    """
    each = max(max_steps // len(checkpoints), 1)
    parts = [thinned(_steps(path, trust), each) for path in checkpoints]
    for path, part in zip(checkpoints, parts, strict=True):
        if _shapes(part) != _shapes(parts[0]):
            raise ValueError(
                f"observations of {path} differ in names or sizes from those of {checkpoints[0]}; "
                "record runs on one task at a time"
            )
    return torch.cat(parts)


@torch.no_grad()
def _steps(checkpoint: Path, trust: bool) -> TensorDictBase:
    with reopened(checkpoint, trust) as run:
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
    keys = [key for policy in policies for key in policy_keys(policy)]
    return torch.cat([rollout.select(*keys).flatten().cpu() for rollout in rollouts])


def save(steps: TensorDictBase, file: Path) -> None:
    """Write steps to a file, as a whole."""
    part = file.with_name(f".{file.name}.part")
    try:
        torch.save(steps.to_dict(), part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _shapes(steps: TensorDictBase) -> dict:
    return {key: value.shape[1:] for key, value in steps.items(True, True)}


def load(file: str | Path) -> TensorDictBase:
    """Load the steps that ``python -m benchmarl_hyper.observations`` wrote to a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file holds something else.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(
            f"there is no file {file}; record it with python -m benchmarl_hyper.observations"
        )
    groups = _content(file, mmap=False)
    if not groups:
        raise ValueError(
            f"{file} is not a file of observations; record one with "
            "python -m benchmarl_hyper.observations"
        )
    sizes = {group: next(iter(entries.values())).shape[:2] for group, entries in groups.items()}
    steps = {group: TensorDict(entries, sizes[group]) for group, entries in groups.items()}
    return TensorDict(steps, next(iter(sizes.values()))[:1])


def is_recorded(file: Path) -> bool:
    """Return whether a file holds observations as this module writes them."""
    return bool(_content(file, mmap=True))  # a checkpoint may be large


def _content(file: str | Path, mmap: bool) -> dict[str, dict[str, Tensor]]:
    """Return the entries ``[steps, agents, *shape]`` of each group; {} for any other file."""
    try:
        groups = loaded(file, mmap=mmap)
    except pickle.UnpicklingError:
        return {}
    parts = list(groups.values()) if isinstance(groups, dict) else []
    if not parts or not all(isinstance(entries, dict) and entries for entries in parts):
        return {}
    tensors = [[x for x in e.values() if isinstance(x, Tensor) and x.dim() > 1] for e in parts]
    same = all(len({x.shape[:2] for x in each}) == 1 for each in tensors)
    whole = [len(each) for each in tensors] == [len(entries) for entries in parts]
    return groups if same and whole and len({len(each[0]) for each in tensors}) == 1 else {}
