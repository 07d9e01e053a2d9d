"""The run folder: its record, who may write to it, and what earlier attempts left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from benchmarl_hyper.run_files import (
    ATTEMPTS,
    CHECKPOINTS,
    CONFIG,
    LOCK,
    PICKLED,
    RECORD,
    flat,
    write_whole,
)
from benchmarl_hyper.running.checkpoints import checkpoints_in
from benchmarl_hyper.running.rewind import rewind

# Settings that decide only where a run executes and logs, and not what it computes
PLACES = {"name", "num_threads"} | {
    f"experiment.{key}"
    for key in (
        "buffer_device",
        "sampling_device",
        "train_device",
        "loggers",
        "project_name",
        "wandb_extra_kwargs",
    )
}


class FolderError(ValueError):
    """Raised if a run folder holds what must not be overwritten and cannot be continued."""


class RunFolder:
    """The folder of one run, which explains itself.

    ``run.json`` holds the run's labels, status, progress, machine and versions, and ``config.yaml``
    its resolved configuration. Next to them are BenchMARL's folder of the experiment, and in
    ``attempts/<k>`` what earlier attempts wrote and the current attempt does not build on.

    Args:
        path: path of the folder, which need not exist.
    """

    def __init__(self, path: Path):
        self.path = path

    @contextmanager
    def locked(self, timeout: float = 3) -> Iterator[bool]:
        """Lock the folder for the duration of the block.

        The operating system releases the lock when the process dies, however it dies.

        Args:
            timeout: seconds to wait for the lock, which a reader of the status may hold briefly.

        Yields:
            True if this process holds the lock; False if another process is working on the run.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def record(self) -> dict[str, Any]:
        """Return the content of ``run.json``; empty if there is no such file.

        Raises:
            FolderError: if the file is not JSON.
        """
        file = self.path / RECORD
        try:
            return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except ValueError as error:
            raise FolderError(
                f"{file} is not JSON ({error}); if you do not need its run, remove the folder"
            ) from error

    def update(self, **facts: Any) -> None:
        """Write facts to ``run.json``, with the time."""
        self._write({**self.record(), **facts})

    def begin(self, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Begin an attempt: write its configuration and its first facts."""
        write_whole(self.path / CONFIG, yaml.safe_dump(dict(settings), sort_keys=False))
        attempts = self.record().get("attempts", 0) + 1
        started = {"status": "running", "error": None, "attempts": attempts, "started": now()}
        self._write({**facts, **started})

    def checkpoint(self) -> Path | None:
        """Return the checkpoint from which an interrupted run continues.

        None if the run was not interrupted, or if it has no checkpoint.
        """
        if self.record().get("status") != "running":
            return None
        found = [file for folder in self._experiments() for file in _checkpoints(folder)]
        return found[-1] if found else None

    def refuse_other_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise a :class:`FolderError` if the folder's run has other settings, and name them."""
        old = _computed(yaml.safe_load((self.path / CONFIG).read_text(encoding="utf-8")))
        new = _computed(settings)
        differ = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        if differ:
            changes = "; ".join(f"{k}: {old.get(k)} there, {new.get(k)} now" for k in differ[:8])
            raise FolderError(
                f"{self.path} holds a run with other settings ({changes}). Give the new run "
                "another label, for example "
                "'label=${hydra:runtime.choices.variant}_lr${experiment.lr}', or another folder "
                "with name=<folder>"
            )

    def put_aside(self, checkpoint: Path | None) -> None:
        """Keep what the last attempt wrote in ``attempts``, and undo what the next will repeat.

        Args:
            checkpoint: checkpoint from which the run will continue; None if it starts again.
        """
        for experiment in self._experiments():
            target = self.path / ATTEMPTS / str(self.record().get("attempts", 0)) / experiment.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if checkpoint is None or experiment not in checkpoint.parents:
                shutil.move(experiment, target)
            else:
                _copy(experiment, target)
                rewind(experiment, checkpoint)

    def _write(self, record: Mapping[str, Any]) -> None:
        write_whole(self.path / RECORD, json.dumps({**record, "updated": now()}, indent=2))

    def _experiments(self) -> list[Path]:
        return sorted(file.parent for file in self.path.glob(f"*/{PICKLED}"))


def _copy(experiment: Path, target: Path) -> None:
    """Copy only once, and as a whole: a second copy would lack what has been undone since."""
    if not target.exists():
        part = target.with_name(f".{target.name}.part")
        ignored = shutil.ignore_patterns(CHECKPOINTS)
        shutil.copytree(experiment, part, ignore=ignored, dirs_exist_ok=True)
        part.rename(target)


def _checkpoints(experiment: Path) -> list[Path]:
    return checkpoints_in(experiment / CHECKPOINTS)


def _computed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide what is computed, by dotted key."""
    return {
        key: value
        for key, value in flat(settings).items()
        if not any(f"{key}.".startswith(f"{place}.") for place in PLACES)
    }


def now() -> str:
    """Return the current time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
