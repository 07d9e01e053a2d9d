"""How much disk the checkpoints of a run, or of a sweep, will take, before they take it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Any

from benchmarl.experiment import Experiment
from torch import Tensor
from torch.utils._pytree import tree_leaves

from benchmarl_hyper.run_files import CHECKPOINTS
from benchmarl_hyper.running.checkpoint_files import checkpoints_in

TELL = 1e9  # bytes of checkpoints above which a run, or a sweep, says what it will need
ADAM = 2  # moments per parameter
REMEDY = (
    "make room, or set a smaller experiment.off_policy_memory_size, "
    "experiment.keep_checkpoints_num=1, or experiment.checkpoint_interval=0 for no checkpoints"
)


def bytes_of_checkpoint(run: Experiment) -> int:
    """Estimate the bytes of an experiment's last checkpoint.

    It counts networks, Adam's moments, the best policy, and the rows that buffers will hold. Rows
    are counted as they are collected; an algorithm may add a little to them.

    Args:
        run: an experiment, which need not have been run.
    """
    moved = [
        p
        for optimizers in run.optimizers.values()
        for optimizer in optimizers.values()
        for group in optimizer.param_groups
        for p in group["params"]
    ]
    losses = (loss.state_dict().values() for loss in run.losses.values())
    networks = sum(map(_bytes, losses)) + _bytes(run.policy.state_dict().values())
    buffers = (
        0 if run.on_policy or run.config.exclude_buffer_from_checkpoint else _bytes_of_buffers(run)
    )
    return networks + ADAM * _bytes(moved) + buffers


def bytes_of_checkpoints(run: Experiment, n_runs: int = 1) -> int:
    """Estimate the bytes of all checkpoints that are on the disk at one time.

    A new checkpoint is written before an old one is removed.

    Args:
        run: an experiment, which need not have been run.
        n_runs: number of runs like it, one after the other.
    """
    frames, interval = run.config.get_max_n_frames(run.on_policy), run.config.checkpoint_interval
    written = (frames // interval if interval else 0) + run.config.checkpoint_at_end
    keep = run.config.keep_checkpoints_num
    kept = written if keep is None else min(written, keep)
    return bytes_of_checkpoint(run) * (n_runs * kept + (written > kept))


def check_disk_space(run: Experiment) -> None:
    """Say what checkpoints will need, if it is much, and whether the disk has it.

    Args:
        run: an experiment with a folder.

    Raises:
        OSError: if the disk has less.
    """
    needed = bytes_of_checkpoints(run)
    there = sum(file.stat().st_size for file in checkpoints_in(run.folder_name / CHECKPOINTS))
    free = shutil.disk_usage(run.folder_name).free
    if needed > TELL:
        print(f"{run.folder_name}: checkpoints will need up to {needed / 1e9:.1f} GB")
    if needed - there > free:
        raise OSError(
            f"checkpoints of {run.folder_name} will need up to {needed / 1e9:.1f} GB, but the disk "
            f"has {free / 1e9:.1f} GB left; {REMEDY}"
        )


def tell_disk_of_sweep(run: Experiment, n_runs: int) -> None:
    """Say what the checkpoints of a sweep will need, if it is much or more than the disk has.

    Args:
        run: one of the sweep's experiments, with a folder.
        n_runs: number of the sweep's runs that are not done.
    """
    needed = bytes_of_checkpoints(run, n_runs)
    free = shutil.disk_usage(run.folder_name).free
    if n_runs > 1 and needed > min(TELL, free):
        print(
            f"checkpoints of {n_runs} runs like this one will need about {needed / 1e9:.1f} GB; "
            f"the disk has {free / 1e9:.1f} GB left{f'; {REMEDY}' if needed > free else ''}"
        )


def _bytes_of_buffers(run: Any) -> int:
    if run.config.collect_with_grad:
        batch = run.rollout_env.fake_tensordict()  # without what the policy adds
    else:
        batch = getattr(run.collector, "_final_rollout", run.collector.env.fake_tensordict())
    frames = run.config.get_max_n_frames(run.on_policy)
    rows = min(run.config.off_policy_memory_size, frames)
    return sum(
        _bytes(batch.exclude(*run._get_excluded_keys(group)).values(True, True))
        * rows
        // batch.numel()
        for group in run.group_map
    )


def _bytes(tensors: Iterable[Any]) -> int:
    leaves = tree_leaves(list(tensors))
    return sum(t.numel() * t.element_size() for t in leaves if isinstance(t, Tensor))
