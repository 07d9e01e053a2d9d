"""A run's folder: what it says of itself, who may write to it, and what earlier attempts left."""

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

from benchmarl_hyper.run_files import ATTEMPTS, CONFIG, LOCK, RECORD, flat, write_whole
from benchmarl_hyper.running.checkpoints import checkpoints_in
from benchmarl_hyper.running.rewind import rewind

# Settings that say where a run is executed and logged, and not what it computes
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
    """A folder holds what is not to be overwritten, and cannot be continued."""


class RunFolder:
    """The folder of one run, which explains itself.

    ``run.json`` has its labels, status, progress, machine and versions; ``config.yaml`` the
    resolved configuration. Beside them are BenchMARL's folder of the experiment, and in
    ``attempts/<k>`` what the attempts before had written and this one does not build on.

    Args:
        path: of the folder, which need not exist.
    """

    def __init__(self, path: Path):
        self.path = path

    @contextmanager
    def locked(self, timeout: float = 3) -> Iterator[bool]:
        """Whether nobody else is at work here; as long as the block runs, no other may begin.

        The operating system frees the lock when a process dies, however it dies.

        Args:
            timeout: seconds to wait for a reader of the status to step aside.
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
        """What ``run.json`` says; empty without one.

        Raises:
            FolderError: if it is not JSON.
        """
        file = self.path / RECORD
        try:
            return json.loads(file.read_text()) if file.is_file() else {}
        except ValueError as error:
            raise FolderError(
                f"{file} is not JSON ({error}); if its run is of no use, remove the folder"
            ) from error

    def update(self, **facts: Any) -> None:
        """Write facts into ``run.json``, with the time."""
        self._write({**self.record(), **facts})

    def begin(self, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write the configuration and the first facts of an attempt."""
        write_whole(self.path / CONFIG, yaml.safe_dump(dict(settings), sort_keys=False))
        attempts = self.record().get("attempts", 0) + 1
        started = {"status": "running", "error": None, "attempts": attempts, "started": now()}
        self._write({**facts, **started})

    def checkpoint(self) -> Path | None:
        """Where to continue an interrupted run; None if it has failed, or has no checkpoint."""
        if self.record().get("status") != "running":
            return None
        found = [file for folder in self._experiments() for file in _checkpoints(folder)]
        return found[-1] if found else None

    def refuse_other_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise a :class:`FolderError` that names what differs from the run in here."""
        old = _computed(yaml.safe_load((self.path / CONFIG).read_text()))
        new = _computed(settings)
        differ = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        if differ:
            changes = "; ".join(f"{k}: {old.get(k)} there, {new.get(k)} now" for k in differ[:8])
            raise FolderError(
                f"{self.path} holds a run with other settings ({changes}). Give this one another "
                "label, for example 'label=${hydra:runtime.choices.variant}_lr${experiment.lr}', "
                "or put it elsewhere with name=<folder>"
            )

    def put_aside(self, checkpoint: Path | None) -> None:
        """Keep what the last attempt wrote in ``attempts``, and undo what a resumed run will redo.

        Args:
            checkpoint: where the run will continue; None for the beginning.
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
        return sorted(file.parent for file in self.path.glob("*/config.pkl"))


def _copy(experiment: Path, target: Path) -> None:
    """Once, and as a whole: a second one would copy what has been undone since."""
    if not target.exists():
        part = target.with_name(f".{target.name}.part")
        ignored = shutil.ignore_patterns("checkpoints")
        shutil.copytree(experiment, part, ignore=ignored, dirs_exist_ok=True)
        part.rename(target)


def _checkpoints(experiment: Path) -> list[Path]:
    return checkpoints_in(experiment / "checkpoints")


def _computed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide what is computed, by dotted key."""
    return {
        key: value
        for key, value in flat(settings).items()
        if not any(f"{key}.".startswith(f"{place}.") for place in PLACES)
    }


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
