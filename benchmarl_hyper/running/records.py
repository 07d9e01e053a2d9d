"""What a sweep has planned and what its runs have recorded, read without torch or BenchMARL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarl_hyper.run_files import LOCK, PLAN, RECORD, write_whole

STATUSES = ("running", "done", "failed")
UNTOLD = ".untold"  # beside a plan, until a run has said what the sweep needs


class FolderError(ValueError):
    """Raised if a run folder holds what must not be overwritten and cannot be continued."""


class OtherSettingsError(FolderError):
    """Raised if a run folder holds a run with other settings that would be lost.

    Attributes:
        keys: the dotted keys of the settings that differ.
    """

    def __init__(self, message: str, keys: Sequence[str]):
        super().__init__(message)
        self.keys = keys


def read_record(path: Path) -> dict[str, Any]:
    """Return the content of a run folder's ``run.json``; empty if there is no such file.

    Args:
        path: the run folder.

    Raises:
        FolderError: if the file is not the record of a run.
    """
    file = path / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, RecursionError) as error:
        raise FolderError(
            f"{file} cannot be read ({error}); if you do not need its run, remove the folder"
        ) from error
    if not isinstance(record, dict) or record.get("status") not in STATUSES:
        raise FolderError(
            f"{file} is not the record of a run; if it is yours, rename it, and if you do not need "
            "its run, remove the folder"
        )
    return record


def records(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the records of all runs below a folder, by run folder.

    A record that cannot be read has the status ``unreadable``, and ``error`` says why. Other
    processes may be working there: folders that they move meanwhile are passed over.
    """
    found = {}
    for path, names, files in os.walk(folder):
        names.sort()
        if RECORD in files:
            names.clear()  # there are no runs in a run folder
            found[Path(path)] = _readable(Path(path))
    return {path: record for path, record in found.items() if record}


def _readable(path: Path) -> dict[str, Any]:
    try:
        return read_record(path)
    except FolderError as error:
        return {"status": "unreadable", "error": str(error)}


def state(path: Path, record: dict[str, Any]) -> str:
    """Return the state of a run: its status, or ``interrupted``.

    A run is interrupted if its record says ``running`` but no process is working on it.

    Args:
        path: the run folder.
        record: the content of its ``run.json``.
    """
    if record["status"] == "running" and not is_locked(path):
        return "interrupted"
    return record["status"]


def is_locked(path: Path) -> bool:
    """Return whether a process is working on a run. Nothing is written for this.

    Args:
        path: the run folder.
    """
    try:
        with open(path / LOCK, "rb") as file:
            return not _lockable(file.fileno())
    except FileNotFoundError:
        return False
    except OSError:  # Windows does not let others open it
        return True


def _lockable(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows, where a locked file cannot be opened
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True  # closing the file gives the lock back


def write_plan(folder: Path, paths: Iterable[Path]) -> None:
    """Write which run folders a sweep will fill.

    Args:
        folder: the folder of the sweep.
        paths: the run folders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted({os.path.relpath(path, folder) for path in paths})
    write_whole(folder / PLAN, json.dumps(names, indent=1))
    (folder / UNTOLD).touch()


def left_to_tell(folder: Path) -> int:
    """Return how many planned runs are not done, to the first process that asks; 0 to others.

    Only one process can remove a file, and a new plan brings the file back.

    Args:
        folder: the folder of the sweep.
    """
    try:
        (folder / UNTOLD).unlink()
    except OSError:
        return 0
    found = records(folder)
    return sum(found.get(path, {}).get("status") != "done" for path in read_plan(folder))


def read_plan(folder: Path) -> set[Path]:
    """Return the run folders of a folder's latest sweep; empty if none is known."""
    try:
        names = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return set()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return set()
    return {Path(os.path.normpath(folder / name)) for name in names}
