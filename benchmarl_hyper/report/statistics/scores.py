"""Scores of runs by task and label: final, absolute, and along training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from benchmarl_hyper.report.reading.run import Run
from benchmarl_hyper.report.statistics.estimators import mean_interval

Groups: TypeAlias = Mapping[str, Mapping[str, Sequence[Run]]]


class Score(NamedTuple):
    """The scores of seeds, their mean and its interval; None for too few seeds."""

    seeds: np.ndarray
    mean: float
    interval: tuple[float, float] | None


class Band(NamedTuple):
    """A line ``y`` over ``x`` from ``n`` runs, and its interval; None for too few runs."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    n: int


def grouped(runs: Iterable[Run]) -> dict[str, dict[str, list[Run]]]:
    """Group runs by task and label."""
    groups: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(run.task, {}).setdefault(run.label, []).append(run)
    return groups


def score(values: Sequence[float]) -> Score:
    """Return the mean of scores, one per seed, with Student's t interval."""
    return Score(np.array(values), float(np.mean(values)), mean_interval(values))


def standing(scores: Mapping[str, Score], label: str) -> str:
    """Compare a label with the label of the highest mean on the same task.

    Args:
        scores: the scores of all labels on the task.
        label: the label to compare.

    Returns:
        ``highest`` if it is that label, ``overlaps`` if its interval overlaps that of the highest
        mean, ``below`` if its interval is below that one, and ``-`` if one of them has no interval.
    """
    best = max(scores, key=lambda name: scores[name].mean)
    if label == best:
        return "highest"
    mine, its = scores[label].interval, scores[best].interval
    if mine is None or its is None:
        return "-"
    return "overlaps" if mine[1] >= its[0] else "below"


def final_scores(groups: Groups) -> dict[str, dict[str, Score]]:
    """Return scores by task and label, from the mean return of each run's last evaluation."""
    return {
        task: {label: score([run.final_return for run in runs]) for label, runs in labels.items()}
        for task, labels in groups.items()
    }


def absolute_scores(groups: Groups) -> dict[str, dict[str, Score]]:
    """Return absolute metrics by task and label, where all runs of the task and label have one."""
    scores: dict[str, dict[str, Score]] = {}
    for task, labels in groups.items():
        for label, runs in labels.items():
            values = [run.absolute_return for run in runs]
            if None not in values:
                scores.setdefault(task, {})[label] = score(values)  # type: ignore[arg-type]
    return scores


def common_frames(runs: Iterable[Run], metric: str = "return") -> list[int]:
    """Return the frames at which every run has an evaluation of the metric, in order."""
    frames = [
        {evaluation.frames for evaluation in run.evaluations if metric in evaluation.metrics}
        for run in runs
    ]
    return sorted(set.intersection(*frames)) if frames else []


def curves(runs: Iterable[Run], frames: Sequence[int], metric: str = "return") -> np.ndarray:
    """Return the means over the episodes of evaluations at ``frames``, ``[seeds, frames]``."""
    kept = set(frames)
    return np.array(
        [
            [
                np.mean(evaluation.metrics[metric])
                for evaluation in run.evaluations
                if evaluation.frames in kept
            ]
            for run in runs
        ]
    )


def band(x: Sequence[float], values: np.ndarray) -> Band:
    """Return the mean over seeds of ``[seeds, points]``, with pointwise Student's t intervals."""
    n, mean = len(values), values.mean(axis=0)
    ends = mean_interval(values)
    low, high = (None, None) if ends is None else ends
    return Band(np.array(x), mean, low, high, n)


def learning_curves(groups: Groups, metric: str = "return") -> dict[str, dict[str, Band]]:
    """Return learning curves by task and label, at the frames that all runs of the task have.

    A task without such frames is left out. So is a label if none of its runs measured the metric;
    the other labels of the task keep their curves.
    """
    lines: dict[str, dict[str, Band]] = {}
    for task, labels in groups.items():
        having = {
            label: runs
            for label, runs in labels.items()
            if any(metric in evaluation.metrics for run in runs for evaluation in run.evaluations)
        }
        frames = common_frames((run for runs in having.values() for run in runs), metric)
        if frames:
            lines[task] = {
                label: band(frames, curves(runs, frames, metric)) for label, runs in having.items()
            }
    return lines


def extra_metrics(groups: Groups) -> dict[str, list[str]]:
    """Return the names of the metrics besides the return, by task.

    The returns of agent groups are among them only if the task has several groups.
    """
    found = {}
    for task, labels in groups.items():
        runs = [run for runs in labels.values() for run in runs]
        names = {name for run in runs for name in run.evaluations[-1].metrics} - {"return"}
        returns = {name for name in names if name.endswith("_return")}
        extra = sorted(names if len(returns) > 1 else names - returns)
        if extra:
            found[task] = extra
    return found
