"""Normalised scores over all tasks: what Agarwal et al. 2021 (arXiv 2108.13264) ask to report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmarl_hyper.report.statistics.estimators import (
    Bounds,
    Estimate,
    improvement_estimate,
    iqm,
    mean,
    median,
    normalise,
    optimality_gap,
    profile_estimate,
    sample_efficiency,
    stratified_bootstrap,
)
from benchmarl_hyper.report.statistics.scores import Band, Groups, common_frames, curves

STATISTICS = {"IQM": iqm, "mean": mean, "median": median, "optimality gap": optimality_gap}
THRESHOLDS = np.linspace(0, 1, 51)
# Resamples of what is computed at many points or for many pairs
FEWER = 2_000


@dataclass(frozen=True)
class Aggregates:
    """Statistics over ``tasks`` of ``labels``, and what had to be left out of them.

    ``improvement`` has the probability that a run of the first label beats one of the second.
    ``efficiency`` is empty where tasks have no evaluations in common.
    """

    tasks: list[str]
    labels: list[str]
    score: str
    bounds: Mapping[str, Bounds]
    statistics: Mapping[str, Mapping[str, Estimate]]
    profiles: Mapping[str, Band]
    improvement: Mapping[tuple[str, str], Estimate]
    efficiency: Mapping[str, Band]
    efficiency_axis: str
    notes: list[str]


def complete(groups: Groups) -> tuple[list[str], list[str], list[str]]:
    """The most tasks and labels such that each label has runs of each task, and what is left out.

    Of the labels that some tasks have in common, those are taken that make the most pairs of a task
    and a label, if there are two of them.
    """
    names = {task: frozenset(labels) for task, labels in groups.items()}
    candidates = {a & b for a in names.values() for b in names.values()}
    candidates.add(frozenset.intersection(*names.values()))

    def size(labels: frozenset[str]) -> tuple[bool, int, int]:
        n_tasks = sum(labels <= having for having in names.values())
        return len(labels) > 1, len(labels) * n_tasks, len(labels)

    labels = max(sorted(candidates, key=sorted), key=size)
    tasks = [task for task, having in names.items() if labels <= having]
    notes = [
        f"task {task}, of which some labels have no runs" for task in names if task not in tasks
    ]
    others = sorted(frozenset.union(*names.values()) - labels)
    notes += [f"label {label}, which has no runs of some tasks" for label in others]
    return tasks, sorted(labels), notes


def aggregate(
    groups: Groups,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> Aggregates | None:
    """All statistics, or None where no task has runs of all labels and a scale.

    Scores are absolute metrics if all runs have them, and final returns otherwise. Bounds that are
    not given are the least and greatest of these scores and of all evaluations of the task.

    Args:
        groups: runs by task and label.
        bounds: low and high by task.
        seed: of the bootstrap.
    """
    bounds = bounds or {}
    tasks, labels, notes = complete(groups)
    runs = [run for task in tasks for label in labels for run in groups[task][label]]
    use_absolute = bool(runs) and all(run.absolute for run in runs)
    frames = {
        task: common_frames(run for label in labels for run in groups[task][label])
        for task in tasks
    }
    raw = {
        task: {label: _scores(groups, task, label, frames[task], use_absolute) for label in labels}
        for task in tasks
    }
    flat = [task for task in tasks if task not in bounds and not _spread(raw[task])]
    notes += [f"task {task}, whose scores are all equal" for task in flat]
    tasks = [task for task in tasks if task not in flat]
    if not tasks:
        return None
    scaled, used = normalise({task: raw[task] for task in tasks}, bounds)
    generator = np.random.default_rng(seed)
    scores = {label: [scaled[task][label][:, 0] for task in tasks] for label in labels}
    lines = {label: [scaled[task][label][:, 1:] for task in tasks] for label in labels}
    efficiency, axis = _efficiency(lines, [frames[task] for task in tasks], generator)
    return Aggregates(
        tasks=tasks,
        labels=labels,
        score="absolute metric" if use_absolute else "final return",
        bounds=used,
        statistics=_statistics(scores, generator),
        profiles=_profiles(scores, generator),
        improvement=_improvement(scores, generator),
        efficiency=efficiency,
        efficiency_axis=axis,
        notes=notes,
    )


def _scores(
    groups: Groups, task: str, label: str, frames: Sequence[int], use_absolute: bool
) -> np.ndarray:
    """The score, and then the evaluations: ``[seeds, 1 + frames]``."""
    runs = groups[task][label]
    scores = [run.absolute_return if use_absolute else run.final_return for run in runs]
    return np.column_stack([np.array(scores, dtype=float), curves(runs, frames)])


def _spread(scores: Mapping[str, np.ndarray]) -> bool:
    return min(map(np.min, scores.values())) < max(map(np.max, scores.values()))


def _statistics(
    scores: Mapping[str, Sequence[np.ndarray]], generator: np.random.Generator
) -> dict[str, dict[str, Estimate]]:
    return {
        name: {label: stratified_bootstrap(s, statistic, generator) for label, s in scores.items()}
        for name, statistic in STATISTICS.items()
    }


def _profiles(
    scores: Mapping[str, Sequence[np.ndarray]], generator: np.random.Generator
) -> dict[str, Band]:
    return {
        label: _band(THRESHOLDS, profile_estimate(s, THRESHOLDS, generator, FEWER), s)
        for label, s in scores.items()
    }


def _improvement(
    scores: Mapping[str, Sequence[np.ndarray]], generator: np.random.Generator
) -> dict[tuple[str, str], Estimate]:
    return {
        (x, y): improvement_estimate(scores[x], scores[y], generator, FEWER)
        for x, y in combinations(scores, 2)
    }


def _efficiency(
    lines: Mapping[str, Sequence[np.ndarray]],
    frames: Sequence[Sequence[int]],
    generator: np.random.Generator,
) -> tuple[dict[str, Band], str]:
    points = min(map(len, frames))
    if points < 2:
        return {}, ""
    same = len(set(map(tuple, frames))) == 1
    x = np.array(frames[0]) if same else np.linspace(0, 1, points)
    axis = "frames" if same else "share of the evaluations of each task"
    bands = {}
    for label, curves_by_task in lines.items():
        cut = [curve[:, evenly(curve.shape[1], points)] for curve in curves_by_task]
        bands[label] = _band(x, sample_efficiency(cut, iqm, generator, FEWER), cut)
    return bands, axis


def evenly(n: int, points: int) -> np.ndarray:
    """Indices of as many of ``n`` evaluations, evenly spaced, from the last to the first."""
    return np.linspace(n - 1, 0, points).round().astype(int)[::-1]


def _band(x: np.ndarray, estimate: Estimate, scores: Sequence[np.ndarray]) -> Band:
    n, value = sum(len(task) for task in scores), np.asarray(estimate.value)
    if estimate.interval is None:
        return Band(x, value, None, None, n)
    low, high = map(np.asarray, estimate.interval)
    return Band(x, value, low, high, n)
