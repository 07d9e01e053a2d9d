"""The run folder: its record, who may write to it, and what earlier attempts left."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import traceback
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
from benchmarl_hyper.running.checkpoint_files import (
    checkpoints_in,
    newest_good,
    remove_unfinished,
)
from benchmarl_hyper.running.records import FolderError, OtherSettingsError, read_record
from benchmarl_hyper.running.redaction import redacted
from benchmarl_hyper.running.rewind import rewind

# Settings that decide only where a run executes and logs, and not what it computes
PLACES = {
    *("name", "num_threads", "checkpoint_share", "lean_rollout", "experiment.buffer_device"),
    *("experiment.sampling_device", "experiment.train_device", "experiment.loggers"),
    *("experiment.project_name", "experiment.wandb_extra_kwargs"),
}
# BenchMARL's memory-mapped replay buffers, which a killed process leaves in its folder
DISK_BUFFERS = "buffer_*"


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
        self.identity: int | None = None  # of the folder that was locked

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
        self.identity = self.path.stat().st_ino
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
            FolderError: if the file is not the record of a run.
        """
        return read_record(self.path)

    def update(self, **facts: Any) -> None:
        """Write facts to ``run.json``, with the time.

        Nothing is written if another folder has taken the place of the one that was locked.
        """
        if self.identity in (None, self.path.stat().st_ino):
            self._write({**self.record(), **facts})

    def begin(self, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Begin an attempt: write its configuration and its first facts."""
        write_whole(self.path / CONFIG, yaml.safe_dump(redacted(dict(settings)), sort_keys=False))
        attempts = self.record().get("attempts", 0) + 1
        started = {"status": "running", "error": None, "attempts": attempts, "started": now()}
        self._write({**facts, **started})

    @contextmanager
    def failures_recorded(self) -> Iterator[None]:
        """Record an exception of the block, with its traceback, and raise it again."""
        try:
            yield
        except Exception:
            with contextlib.suppress(OSError):  # a full disk may have caused the first one
                self.update(status="failed", error=traceback.format_exc())
            raise

    def checkpoint(self) -> Path | None:
        """Return the checkpoint from which an interrupted or failed run continues.

        Damaged checkpoints are put aside, with a line that says so.

        Returns:
            The newest good checkpoint; None if there is none, or if the run is done.
        """
        if self.record().get("status") not in ("running", "failed"):
            return None
        return newest_good([file for path in self._experiments() for file in _checkpoints(path)])

    def refuse_other_settings(self, settings: Mapping[str, Any], busy: bool) -> None:
        """Raise an error if the folder holds a run with other settings that would be lost.

        A run would be lost if it is done, if a process is working on it, or if it was interrupted
        and can be continued.

        Args:
            settings: the resolved configuration of the new run.
            busy: whether another process is working on the folder's run.

        Raises:
            OtherSettingsError: if it does; the message says what differs.
            FolderError: if the record or the configuration of the run cannot be read.
        """
        status = self.record().get("status")
        continues = busy or any(_checkpoints(experiment) for experiment in self._experiments())
        if status == "done" or (status == "running" and continues):
            there, now = computed(self.settings()), computed(redacted(settings))
            keys = differences(there, now)
            if keys:
                shown = [f"{k}: {there.get(k)} there, {now.get(k)} now" for k in keys[:8]]
                more = [f"and {len(keys) - 8} more"] if len(keys) > 8 else []
                raise OtherSettingsError(
                    f"{os.path.relpath(self.path)} holds a run with other settings "
                    f"({'; '.join([*shown, *more])}); give the new run another label",
                    keys,
                )

    def settings(self) -> dict[str, Any]:
        """Return the resolved configuration of the folder's run, from ``config.yaml``.

        Raises:
            FolderError: if there is no such file, or if it is not a configuration.
        """
        file = self.path / CONFIG
        try:
            settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            settings = error
        if not isinstance(settings, dict):
            raise FolderError(
                f"{file} is not the configuration of a run ({settings}); if you do not need the "
                "run, remove the folder"
            )
        return settings

    def put_aside(self, checkpoint: Path | None) -> None:
        """Keep what the last attempt wrote in ``attempts``, and undo what the next will repeat.

        Args:
            checkpoint: checkpoint from which the run will continue; None if it starts again.
        """
        for experiment in self._experiments():
            target = self.path / ATTEMPTS / str(self.record().get("attempts", 0)) / experiment.name
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_unfinished(experiment / CHECKPOINTS)
            for memory in filter(Path.is_dir, experiment.glob(DISK_BUFFERS)):
                shutil.rmtree(memory)
            if checkpoint is None or experiment not in checkpoint.parents:
                experiment.rename(_free(target))
            else:
                _copy(experiment, target)
                rewind(experiment, checkpoint)

    def _write(self, record: Mapping[str, Any]) -> None:
        write_whole(
            self.path / RECORD, json.dumps(redacted({**record, "updated": now()}), indent=2)
        )

    def _experiments(self) -> list[Path]:
        """Return BenchMARL's folders; a process may have been killed before it filled one."""
        folders = (path for path in self.path.glob("*") if path.is_dir() and path.name != ATTEMPTS)
        return sorted(
            path
            for path in folders
            if (path / PICKLED).exists() or (path / CHECKPOINTS).is_dir() or not any(path.iterdir())
        )


def _copy(experiment: Path, target: Path) -> None:
    """Copy only once, and as a whole: a second copy would lack what has been undone since."""
    if not target.exists():
        part = target.with_name(f".{target.name}.part")
        ignored = shutil.ignore_patterns(CHECKPOINTS)
        shutil.copytree(experiment, part, ignore=ignored, dirs_exist_ok=True)
        part.rename(target)


def _free(target: Path) -> Path:
    """Return a path at which nothing is: an attempt may have been copied, and is then given up."""
    others = (target.with_name(f"{target.name}_{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([target], others) if not path.exists())


def _checkpoints(experiment: Path) -> list[Path]:
    return checkpoints_in(experiment / CHECKPOINTS)


def computed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide what is computed, by dotted key."""
    return {
        key: value
        for key, value in flat(settings).items()
        if not any(f"{key}.".startswith(f"{place}.") for place in PLACES)
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the keys whose values differ, or that only one of two mappings has."""
    return [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]


def now() -> str:
    """Return the current time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
