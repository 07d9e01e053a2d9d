"""Statistics over all tasks, as Agarwal et al. 2021 (arXiv 2108.13264) recommend to report them."""

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
# With more labels, pairs are not compared: nobody reads so many, and their number is quadratic
MOST_COMPARED = 20
# Number of resamples for what is computed at many points or for many pairs
FEWER = 2_000


@dataclass(frozen=True)
class Aggregates:
    """Statistics of labels over tasks.

    Attributes:
        tasks: the tasks that count.
        labels: the labels that are compared; each has runs on each of the tasks.
        score: what the score of a run is: ``absolute metric`` or ``final return``.
        bounds: the returns of each task that count as 0 and 1.
        statistics: estimates by the name of the statistic and by label.
        profiles: the performance profile of each label.
        improvement: for each pair of labels, the probability that a run of the first label has a
            higher score than a run of the second; empty if there are more than 20 labels.
        efficiency: the IQM during training by label; empty if a task has fewer than two evaluations
            that all of its runs have.
        efficiency_axis: what the horizontal axis of ``efficiency`` shows.
        notes: what had to be left out, and why.
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
    """Choose tasks and labels such that each label has runs on each task.

    The candidates are the labels that a task has, or that two tasks or all tasks have in common.
    The candidate with the most pairs of a task and a label is chosen, among those with at least two
    labels if there are any.

    Args:
        groups: runs by task and label.

    Returns:
        The tasks, the labels, and notes on what is left out.
    """
    names = {task: frozenset(labels) for task, labels in groups.items()}
    sets = set(names.values())
    candidates = {a & b for a in sets for b in sets}
    candidates.add(frozenset.intersection(*names.values()))

    def size(labels: frozenset[str]) -> tuple[bool, int, int]:
        n_tasks = sum(labels <= having for having in names.values())
        return len(labels) > 1, len(labels) * n_tasks, len(labels)

    labels = max(sorted(candidates, key=sorted), key=size)
    tasks = [task for task, having in names.items() if labels <= having]
    notes = [
        f"task {task}, on which some labels have no runs" for task in names if task not in tasks
    ]
    others = sorted(frozenset.union(*names.values()) - labels)
    notes += [f"label {label}, which has no runs on some tasks" for label in others]
    return tasks, sorted(labels), notes


def aggregate(
    groups: Groups,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> Aggregates | None:
    """Compute all statistics over tasks.

    Scores are absolute metrics if all runs have them, and final returns otherwise. Bounds that are
    not given are the lowest and the highest value among these scores and the mean returns of the
    task's evaluations, at the frames that all of its runs have in common.

    Args:
        groups: runs by task and label.
        bounds: the returns that count as 0 and 1, by task.
        seed: the seed of the bootstrap.

    Returns:
        The statistics; None if no task has both runs of all labels and scores that differ.
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
    """Return each run's score, followed by its evaluations: ``[seeds, 1 + frames]``."""
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
    if len(scores) > MOST_COMPARED:
        return {}
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
    """Return the indices of some of ``n`` evaluations, evenly spaced and in order.

    The last evaluation is always among them, and the first one if ``points`` is at least 2.
    """
    return np.linspace(n - 1, 0, points).round().astype(int)[::-1]


def _band(x: np.ndarray, estimate: Estimate, scores: Sequence[np.ndarray]) -> Band:
    n, value = sum(len(task) for task in scores), np.asarray(estimate.value)
    if estimate.interval is None:
        return Band(x, value, None, None, n)
    low, high = map(np.asarray, estimate.interval)
    return Band(x, value, low, high, n)
