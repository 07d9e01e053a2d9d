"""Writes the compact archives that :mod:`benchmarl_hyper.report.reading.compact` describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarl_hyper.report.reading.compact import COLUMNS, ENDING, VERSION
from benchmarl_hyper.report.reading.run import Run
from benchmarl_hyper.report.reading.schema import RECORD

# Of a run's configuration, and of its run.json: what reports use, and how to train it again
SECTIONS = ("experiment", "algorithm", "task", "model", "critic_model")
KEPT = {*RECORD, "algorithm", "variant", "suite", "overrides", "seeds_at_once"} - {"wall_time_s"}
# Settings that tell of a machine and not of a run
PLACES = ("save_folder", "restore_file")


def write_compact(runs: Sequence[Run], path: Path) -> None:
    """Write runs into one file.

    Args:
        runs: finished runs.
        path: the file, which ends with ``.npz``.

    Raises:
        ValueError: if the name of the file ends otherwise.
    """
    if path.suffix != ENDING:
        raise ValueError(f"a compact archive must end with {ENDING}, got {path}")
    metrics = sorted({name for run in runs for one in run.evaluations for name in one.metrics})
    recorded = [(i, run.recording) for i, run in enumerate(runs) if run.recording]
    quantities = sorted({key for _, one in recorded for key in [*one.scalars, *one.matrices]})
    number = {key: i for i, key in enumerate(quantities)}
    settings, records = _Distinct(runs, _settings), _Distinct(runs, _record)
    header = {
        "version": VERSION,
        "settings": settings.values,
        "records": records.values,
        "metrics": metrics,
        "quantities": quantities,
        "runs": [
            {
                "task": run.task,
                "label": run.label,
                "seed": run.seed,
                "folder": run.place.inside,
                "seconds": run.record.get("wall_time_s"),
                "settings": settings.numbers[i],
                "record": records.numbers[i],
            }
            for i, run in enumerate(runs)
        ],
    }
    evaluations = [(i, one) for i, run in enumerate(runs) for one in run.evaluations]
    scalars = [
        ((i, number[key], frames), value)
        for i, one in recorded
        for key, by_frames in one.scalars.items()
        for frames, value in by_frames.items()
    ]
    matrices = [
        ((i, number[key], *matrix.shape), matrix.ravel())
        for i, one in recorded
        for key, matrix in one.matrices.items()
    ]
    found = {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "evaluations": [(i, one.frames) for i, one in evaluations],
        "means": [_means(one.metrics, metrics) for _, one in evaluations],
        "episodes": [_numbers(one.metrics, metrics) for _, one in evaluations],
        "absolute": [_means(run.absolute, metrics) for run in runs],
        "absolute_episodes": [_numbers(run.absolute, metrics) for run in runs],
        "scalars_at": [at for at, _ in scalars],
        "scalars": [value for _, value in scalars],
        "matrices_at": [at for at, _ in matrices],
        "matrices": np.concatenate([[], *(values for _, values in matrices)]),
    }
    columns: dict[str, Any] = {}
    for name, (kind, width) in COLUMNS.items():
        column: np.ndarray = np.asarray(found[name], kind)
        columns[name] = column if width is None else column.reshape(-1, width or len(metrics))
    np.savez_compressed(path, **columns)


class _Distinct:
    """What runs have, each value once, and for every run the number of its value."""

    def __init__(self, runs: Iterable[Run], of: Callable[[Run], Mapping[str, Any]]):
        known: dict[str, int] = {}
        self.numbers = [
            known.setdefault(json.dumps(of(run), sort_keys=True, default=str), len(known))
            for run in runs
        ]
        self.values = [json.loads(text) for text in known]


def _settings(run: Run) -> Mapping[str, Any]:
    kept = {name: run.settings[name] for name in SECTIONS if run.settings.get(name) is not None}
    if "experiment" in kept:
        experiment = kept["experiment"].items()
        kept["experiment"] = {key: value for key, value in experiment if key not in PLACES}
    return kept


def _record(run: Run) -> Mapping[str, Any]:
    record = {key: value for key, value in run.record.items() if key in KEPT}
    if "machine" in record:
        machine = record["machine"] or {}
        record["machine"] = {key: value for key, value in machine.items() if key != "host"}
    return record


def _means(metrics: Mapping[str, Sequence[float]], names: Sequence[str]) -> list[float]:
    return [float(np.mean(metrics[name])) if name in metrics else np.nan for name in names]


def _numbers(metrics: Mapping[str, Sequence[float]], names: Sequence[str]) -> list[int]:
    return [len(metrics.get(name, ())) for name in names]
