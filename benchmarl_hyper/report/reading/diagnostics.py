"""Readers of what callbacks recorded in training: ``diagnostics.jsonl`` next to the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from benchmarl_hyper.report.reading.results import Dropped, Run
from benchmarl_hyper.run_files import DIAGNOSTICS

Key: TypeAlias = tuple[str, str]  # group and name


class Recording(NamedTuple):
    """The scalars and matrices of one run, by group and name and then by frames."""

    scalars: dict[Key, dict[int, float]]
    matrices: dict[Key, dict[int, np.ndarray]]


def read(path: Path) -> tuple[Recording, list[Dropped]]:
    """Read one file, and say how many of its lines could not be used.

    If several lines record the same quantity at the same frames, the last one counts.
    """
    recording, broken = Recording({}, {}), 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            key, frames = (entry["group"], entry["name"]), int(entry["frames"])
            if "matrix" in entry:
                matrix = np.array(entry["matrix"], dtype=float)  # null becomes nan
                recording.matrices.setdefault(key, {})[frames] = matrix
            else:
                value = np.array(entry["value"], dtype=float)
                recording.scalars.setdefault(key, {})[frames] = float(value)
        except (ValueError, KeyError, TypeError):
            broken += 1
    reason = f"{broken} lines are not records, maybe half-written"
    return recording, [Dropped(path, reason)] if broken else []


def read_all(runs: Sequence[Run]) -> tuple[dict[Path, Recording], list[Dropped]]:
    """Read the recordings of all runs that have one.

    Returns:
        The recordings by run folder, and the files with lines that could not be used.
    """
    recordings, dropped = {}, []
    for run in runs:
        path = run.file.parent / DIAGNOSTICS
        if path.is_file():
            recordings[run.folder], problems = read(path)
            dropped += problems
    return recordings, dropped
