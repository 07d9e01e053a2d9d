"""Files of checkpoints: written as a whole, read back, and put aside when they are damaged."""

from __future__ import annotations

import os
import pickle
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarl_hyper.run_files import sync

DAMAGED = ".damaged"  # behind the name of a checkpoint that was put aside


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints in a run's ``checkpoints`` folder, oldest first."""
    found = [file for file in folder.glob("checkpoint_*.pt") if _frames(file).isdecimal()]
    return sorted(found, key=lambda file: int(_frames(file)))


def _frames(file: Path) -> str:
    return file.stem.removeprefix("checkpoint_")


def is_whole(file: Path) -> bool:
    """Return whether a file is an archive of torch's, and all of its bytes are as written."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except Exception:  # zipfile raises errors of many kinds, depending on which bytes are wrong
        return False


def is_good(file: Path) -> bool:
    """Return whether a file is a whole checkpoint of an experiment."""
    if not is_whole(file):
        return False
    try:
        state = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except Exception:  # what unpickling raises depends on what is in the file
        return False
    return isinstance(state, Mapping) and "total_frames" in state.get("state", {})


def newest_good(files: Sequence[Path]) -> Path | None:
    """Return the newest good checkpoint, and put the damaged ones after it aside.

    Args:
        files: checkpoints, oldest first.

    Returns:
        The checkpoint; None if there is no good one.
    """
    good = next((file for file in reversed(files) if is_good(file)), None)
    damaged = files[files.index(good) + 1 :] if good else files
    for file in damaged:
        os.replace(file, file.with_name(file.name + DAMAGED))
        then = f"continues from {good.name}" if good else "starts again from the beginning"
        print(f"{file} is damaged and was renamed to {file.name}{DAMAGED}; the run {then}")
    return good


def remove_unfinished(folder: Path) -> None:
    """Remove from a folder of checkpoints what a killed process had not finished."""
    for file in folder.glob("*.tmp"):
        file.unlink()


class CheckpointWriter:
    """Writes the checkpoints of a run, and removes older ones when a new one is known to be good.

    Args:
        folder: folder of the checkpoints.
        keep: number of checkpoints to keep; None to keep all.
        share: largest share of the time between two checkpoints that writing may take, above 0. A
            checkpoint for which it is too early is skipped; with 1, none is.

    Raises:
        ValueError: if the share is not above 0 and at most 1.
    """

    def __init__(self, folder: Path, keep: int | None, share: float):
        if not 0 < share <= 1:
            raise ValueError(
                f"checkpoint_share must be above 0 and at most 1, got {share}; with 1, each "
                "checkpoint_interval ends with a checkpoint"
            )
        self.folder, self.keep, self.share = folder, keep, share
        self.cost, self.ended = 0.0, time.monotonic()
        self.frames: int | None = None  # of the last checkpoint

    def is_due(self) -> bool:
        """Return whether the last checkpoint is old enough to be worth the time of a new one."""
        return self.share == 1 or self.cost <= self.share * (time.monotonic() - self.ended)

    def write(self, state: Callable[[], Mapping[str, Any]], frames: int) -> None:
        """Write a checkpoint and, when it could be read back, remove those before it.

        Args:
            state: function that returns the state of the experiment.
            frames: frames of the experiment so far.

        Raises:
            OSError: if the file could not be written as a whole. Older checkpoints are kept.
            ValueError: if the state holds what torch does not load again.
        """
        began = time.monotonic()
        self.folder.mkdir(exist_ok=True)
        remove_unfinished(self.folder)
        file = self.folder / f"checkpoint_{frames}.pt"
        unfinished = file.with_suffix(".tmp")
        try:
            _save(state(), unfinished)
        except Exception:
            unfinished.unlink(missing_ok=True)
            raise
        os.replace(unfinished, file)
        sync(self.folder)
        self._remove_older(file)
        self.frames = frames
        self.ended = time.monotonic()
        self.cost = self.ended - began

    def _remove_older(self, newest: Path) -> None:
        if self.keep is not None:
            others = [file for file in checkpoints_in(self.folder) if file != newest]
            for file in others[: max(0, len(others) + 1 - self.keep)]:
                file.unlink()


def _save(state: Mapping[str, Any], file: Path) -> None:
    try:
        torch.save(state, file)
        sync(file)
        whole = is_whole(file)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeErrors if the disk is full
        free = shutil.disk_usage(file.parent).free
        raise OSError(
            f"the checkpoint {file} could not be written ({error}); its disk has "
            f"{free / 1e9:.1f} GB left. The checkpoint before it is kept, and the same command "
            "continues from it"
        ) from error
    if not whole:
        raise OSError(
            f"the checkpoint {file} is not what was written when it is read back; check the disk. "
            "The checkpoint before it is kept, and the same command continues from it"
        )
    try:
        torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            "torch would not load this run's checkpoints again, since they hold objects besides "
            "tensors and plain values, which can run any code. They come from a callback, or from "
            "off_policy_use_prioritized_replay_buffer; leave it out, or set "
            f"experiment.checkpoint_interval=0 ({str(error).splitlines()[0]})"
        ) from error
