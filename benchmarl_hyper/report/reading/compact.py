"""Compact archives of runs: one ``.npz`` file of columns with what reports use.

The entries of the file:

- ``header``, JSON as bytes: distinct settings and records, names of metrics and quantities, and for
  each of R runs its task, label, seed, folder, seconds, and the numbers of its settings and record;
- ``evaluations [E, 2]``, the run and its frames, ``means [E, M]`` and ``episodes [E, M]``, of each
  metric over episodes; the absolute metric as ``absolute [R, M]`` and ``absolute_episodes [R, M]``;
- ``scalars_at [K, 3]``, the run, quantity and frames, and ``scalars [K]``;
- ``matrices_at [L, 4]``, the run, quantity, rows and columns, and ``matrices``, their numbers.

Numbers are float32. Of the episodes of an evaluation, the mean and their number are kept, so every
episode that is read has the mean of all.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarl_hyper.report.reading.diagnostics import MOST_COLUMNS, MOST_QUANTITIES, MOST_ROWS
from benchmarl_hyper.report.reading.files import MOST_BYTES
from benchmarl_hyper.report.reading.run import Evaluation, Key, Place, Recording, Run
from benchmarl_hyper.report.reading.schema import (
    COUNT,
    NAME,
    RECORD,
    SETTINGS,
    check,
    check_one,
    is_number,
)

ENDING, VERSION = ".npz", 1
MOST_EPISODES = 100_000
# Entries with their types and second dimensions; None for one dimension, 0 for that of the metrics
COLUMNS: Mapping[str, tuple[type, int | None]] = {
    "header": (np.uint8, None),
    "evaluations": (np.int64, 2),
    "means": (np.float32, 0),
    "episodes": (np.int32, 0),
    "absolute": (np.float32, 0),
    "absolute_episodes": (np.int32, 0),
    "scalars_at": (np.int64, 3),
    "scalars": (np.float32, None),
    "matrices_at": (np.int64, 4),
    "matrices": (np.float32, None),
}


def compact_runs(path: Path) -> list[Run]:
    """Read all runs of a compact archive.

    Raises:
        ValueError: if it is not one, or if what it holds is not what ``schema`` says.
    """
    try:
        columns = _columns(path)
        return list(_runs(columns, json.loads(columns["header"].tobytes()), str(path)))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, zipfile.BadZipFile) as e:
        raise ValueError(f"{path} is not a readable archive of runs ({e})") from e


def _columns(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as file:
        if sum(entry.file_size for entry in file.infolist()) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes when it is unpacked")
    with np.load(path, allow_pickle=False) as file:
        columns = {name: file[name] for name in COLUMNS}
    n_metrics = columns["means"].shape[-1]
    for name, (kind, width) in COLUMNS.items():
        column = columns[name]
        shape = column.shape[1:]
        if column.dtype != kind or shape != (() if width is None else (width or n_metrics,)):
            raise ValueError(f"{name} has shape {column.shape} and type {column.dtype}")
    return columns


def _runs(columns: Mapping[str, np.ndarray], header: Any, given: str) -> Iterator[Run]:
    if header["version"] != VERSION:
        raise ValueError(f"its version is {header['version']!r}, need {VERSION}")
    for record in filter(None, header["records"]):
        check(record, RECORD, "a record")
    for settings in header["settings"]:
        check(settings, SETTINGS, "settings")
    for name in header["metrics"]:
        check_one(name, NAME, "a metric")
    quantities = [(group, name) for group, name in header["quantities"]]
    if len(quantities) > MOST_QUANTITIES:
        raise ValueError(f"it has {len(quantities)} quantities, need at most {MOST_QUANTITIES}")
    evaluations = _evaluations(columns, header["metrics"])
    recordings = _recordings(columns, quantities)
    for number, run in enumerate(header["runs"]):
        for key in ("task", "label", "seed"):
            check_one(run[key], NAME, key)
        record = header["records"][run["record"]]
        yield Run(
            task=run["task"],
            label=run["label"],
            seed=run["seed"],
            place=Place(given, str(run["folder"])),
            evaluations=evaluations[number],
            absolute=_metrics(
                header["metrics"],
                columns["absolute"][number],
                columns["absolute_episodes"][number],
            ),
            settings=header["settings"][run["settings"]],
            record=record and record | {"wall_time_s": run["seconds"]},
            recording=recordings.get(number),
        )


def _evaluations(
    columns: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[int, list[Evaluation]]:
    found: dict[int, dict[int, Evaluation]] = {}
    rows = zip(columns["evaluations"], columns["means"], columns["episodes"], strict=True)
    for (run, frames), means, episodes in rows:
        check_one(int(frames), COUNT, "frames of an evaluation")
        metrics = _metrics(names, means, episodes)
        if "return" not in metrics:
            raise ValueError(f"the evaluation of run {run} at {frames} frames has no return")
        found.setdefault(int(run), {})[int(frames)] = Evaluation(int(frames), metrics)
    return {run: [of[frames] for frames in sorted(of)] for run, of in found.items()}


def _metrics(
    names: Sequence[str], means: np.ndarray, episodes: np.ndarray
) -> dict[str, list[float]]:
    metrics = {}
    for name, mean, n in zip(names, means.tolist(), episodes.tolist(), strict=True):
        if n and not (is_number(mean) and 0 < n <= MOST_EPISODES):
            raise ValueError(f"{name} is {mean} in {n} episodes")
        if n:
            metrics[name] = [mean] * n
    return metrics


def _recordings(
    columns: Mapping[str, np.ndarray], quantities: Sequence[Key]
) -> dict[int, Recording]:
    scalars: dict[int, dict[Key, dict[int, float]]] = {}
    matrices: dict[int, dict[Key, np.ndarray]] = {}
    values = columns["scalars"].tolist()
    for (run, quantity, frames), value in zip(columns["scalars_at"].tolist(), values, strict=True):
        check_one(frames, COUNT, "frames of a quantity")
        by_frames = scalars.setdefault(run, {}).setdefault(quantities[quantity], {})
        by_frames[frames] = value if math.isfinite(value) else math.nan
    begin = 0
    for run, quantity, rows, width in columns["matrices_at"].tolist():
        if not (0 < rows <= MOST_ROWS and 0 < width <= MOST_COLUMNS):
            raise ValueError(f"a matrix has {rows} rows and {width} columns")
        end = begin + rows * width
        matrix = columns["matrices"][begin:end].astype(float).reshape(rows, width)
        matrices.setdefault(run, {})[quantities[quantity]] = matrix
        begin = end
    return {
        run: Recording(scalars.get(run, {}), matrices.get(run, {})) for run in {*scalars, *matrices}
    }
