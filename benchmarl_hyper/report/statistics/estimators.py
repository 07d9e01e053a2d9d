"""Statistics of scores over seeds and tasks.

Scores are a list with one array per task. The last axis of an array counts the seeds: ``[seeds]``,
or ``[..., seeds]`` for a statistic of every leading entry. Tasks may differ in their number of
seeds. Each task has the same weight in all statistics, so a task with a missing run does not count
less. With equal numbers of seeds, these are the definitions of Agarwal et al. 2021 (arXiv
2108.13264) and of their library rliable, whose matrix ``[seeds, tasks]`` is ``list(matrix.T)``
here. Gorsane et al. 2022 (arXiv 2209.10485) say which statistics to report, and from how many
seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from scipy import stats

MIN_SEEDS = 3
AT_ONCE = 1_000  # resamples

Scores: TypeAlias = Sequence[np.ndarray]
Value: TypeAlias = np.float64 | np.ndarray
Statistic: TypeAlias = Callable[[Scores], Value]


class Estimate(NamedTuple):
    """A statistic ``[...]``, and the two ends of its interval; None for too few seeds."""

    value: Value
    interval: tuple[Value, Value] | None


class Bounds(NamedTuple):
    """The scores of a task that count as 0 and 1.

    They are the user's if ``given``, and otherwise the lowest and the highest score of the data.
    """

    low: float
    high: float
    given: bool


def mean_interval(
    scores: Sequence[float] | np.ndarray, level: float = 0.95
) -> tuple[Any, Any] | None:
    """Return Student's t interval of the mean.

    Args:
        scores: one score per seed, independent of each other, or ``[seeds, ...]`` for an interval
            at each of the other entries.
        level: the coverage of the interval.

    Returns:
        Lower and upper end; None for fewer than 3 scores, which say too little about their spread.
    """
    if len(scores) < MIN_SEEDS:
        return None
    mean, error = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1) / len(scores) ** 0.5
    half = error * _quantile(level, len(scores))
    return mean - half, mean + half


@cache
def _quantile(level: float, n: int) -> float:
    return float(stats.t.ppf((1 + level) / 2, df=n - 1))


def _finite(scores: np.ndarray, name: object) -> np.ndarray:
    array = np.asarray(scores, dtype=float)
    if not array.ndim or not array.size:
        raise ValueError(
            f"scores of task {name!r} have shape {array.shape}, need one score per seed; "
            "leave out a task without runs"
        )
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise ValueError(
            f"task {name!r} has a score of {bad}, which is not finite; leave out its run"
        )
    return array


def _tasks(scores: Scores) -> list[np.ndarray]:
    tasks = [_finite(task, index) for index, task in enumerate(scores)]
    if not tasks:
        raise ValueError("got scores of 0 tasks, need one or more; give one array per task")
    if len({task.shape[:-1] for task in tasks}) > 1:
        raise ValueError(
            f"tasks have {[task.shape[:-1] for task in tasks]} scores per seed, need the same; "
            "cut curves to as many evaluations as all tasks have"
        )
    return tasks


def _task_means(scores: Scores) -> np.ndarray:
    return np.stack([task.mean(axis=-1) for task in _tasks(scores)])  # (tasks, ...)


def mean(scores: Scores) -> Value:
    """Return the mean over tasks of each task's mean, ``[...]``."""
    return _task_means(scores).mean(axis=0)


def median(scores: Scores) -> Value:
    """Return the median over tasks of each task's mean, ``[...]``."""
    return np.median(_task_means(scores), axis=0)


def optimality_gap(scores: Scores, gamma: float = 1.0) -> Value:
    """Return how far scores fall short of ``gamma`` on average, ``[...]``.

    A score above ``gamma`` counts as ``gamma``.
    """
    return gamma - mean([np.minimum(task, gamma) for task in _tasks(scores)])


def iqm(scores: Scores) -> Value:
    """Return the interquartile mean ``[...]``: the mean of the middle half of all tasks' runs.

    It is the 25% trimmed mean of a pool in which each run occurs so often that all tasks have the
    same number of entries. If all tasks have the same number of seeds, this is the pool of all
    runs.
    """
    tasks = _tasks(scores)
    seeds = np.array([task.shape[-1] for task in tasks])
    entries = np.lcm.reduce(seeds)  # per task
    total, cut = entries * len(tasks), entries * len(tasks) // 4
    pool = np.concatenate(tasks, axis=-1)
    if len({*seeds}) == 1:
        return np.sort(pool, axis=-1)[..., cut : total - cut].mean(axis=-1)
    order = np.argsort(pool, axis=-1)
    last = np.cumsum(np.repeat(entries // seeds, seeds)[order], axis=-1)
    kept = np.diff(np.clip(last, cut, total - cut), axis=-1, prepend=cut)
    return (kept * np.take_along_axis(pool, order, axis=-1)).sum(axis=-1) / (total - 2 * cut)


def stratified_bootstrap(
    scores: Scores,
    statistic: Statistic,
    generator: Generator,
    n_resamples: int = 10_000,
    level: float = 0.95,
) -> Estimate:
    """Return a statistic and its percentile interval, from runs resampled within each task.

    The interval describes the spread over seeds on these tasks. With few seeds it is too narrow:
    for one task with normal scores, 95% intervals of the mean contain the true mean in 75% of cases
    with 3 seeds and in 90% with 10 (``mean_interval``: 95%). Over many tasks, they do so in 89% and
    94%.

    Args:
        scores: ``[..., seeds]`` per task. A run is drawn with all its leading entries. Their
            intervals hold pointwise, not jointly.
        statistic: a function that reduces the last axis of such scores, with any leading axes.
        generator: the source of the resamples.
        n_resamples: the number of resamples.
        level: the coverage of the interval.

    Returns:
        The statistic ``[...]`` and its interval, which is None if a task has fewer than 3 seeds.

    Raises:
        ValueError: if ``level`` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}; 0.95 is usual")
    tasks = _tasks(scores)
    value = statistic(tasks)
    seeds = [task.shape[-1] for task in tasks]
    if min(seeds) < MIN_SEEDS:
        return Estimate(value, None)
    runs = [generator.integers(n, size=(n_resamples, n)) for n in seeds]
    leading = tasks[0].shape[:-1]

    def drawn(entry: tuple[int, ...], part: slice) -> Value:
        return statistic([task[entry][run[part]] for task, run in zip(tasks, runs, strict=True)])

    # One entry and some resamples at a time, since all at once would fill the memory
    parts = [slice(start, start + AT_ONCE) for start in range(0, n_resamples, AT_ONCE)]
    draws = [
        np.concatenate([drawn(entry, part) for part in parts]) for entry in np.ndindex(leading)
    ]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return Estimate(value, (low.reshape(leading)[()], high.reshape(leading)[()]))


def probability_of_improvement(x: Scores, y: Scores) -> Value:
    """Return the probability ``[...]`` that a run of ``x`` beats one of ``y``, mean over tasks.

    It is Mann-Whitney's U as a fraction of all pairs of runs, where a tie counts half. ``x`` and
    ``y`` have the same tasks in the same order; their seeds may differ.
    """
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} tasks and y {len(y)}; compare on the tasks both have")
    pairs = [(a[..., :, None], b[..., None, :]) for a, b in zip(_tasks(x), _tasks(y), strict=True)]
    wins = [((a > b).mean(axis=(-2, -1)) + (a >= b).mean(axis=(-2, -1))) / 2 for a, b in pairs]
    return np.mean(wins, axis=0)


def improvement_estimate(
    x: Scores, y: Scores, generator: Generator, n_resamples: int = 10_000, level: float = 0.95
) -> Estimate:
    """Return the probability of improvement and its interval.

    Runs of ``x`` and of ``y`` are drawn independently of each other.
    """

    def improvement(both: Scores) -> Value:
        return probability_of_improvement(both[: len(x)], both[len(x) :])

    both = [*_tasks(x), *_tasks(y)]
    return stratified_bootstrap(both, improvement, generator, n_resamples, level)


def _exceedances(scores: Scores, thresholds: np.ndarray) -> list[np.ndarray]:
    return [task[..., None, :] > np.asarray(thresholds)[:, None] for task in _tasks(scores)]


def performance_profile(scores: Scores, thresholds: np.ndarray) -> Value:
    """Return the fraction ``[..., thresholds]`` of runs whose score is above each threshold."""
    return mean(_exceedances(scores, thresholds))


def profile_estimate(
    scores: Scores,
    thresholds: np.ndarray,
    generator: Generator,
    n_resamples: int = 10_000,
    level: float = 0.95,
) -> Estimate:
    """Return the performance profile ``[thresholds]`` and its pointwise interval."""
    exceedances = _exceedances(scores, thresholds)
    return stratified_bootstrap(exceedances, mean, generator, n_resamples, level)


def sample_efficiency(
    curves: Scores,
    statistic: Statistic,
    generator: Generator,
    n_resamples: int = 2_000,
    level: float = 0.95,
) -> Estimate:
    """Return a statistic of learning curves at each evaluation point, and its interval.

    Whole runs are drawn, and the interval holds pointwise.

    Args:
        curves: ``[seeds, points]`` per task; all tasks have the same number of points.
        statistic: a function that reduces the last axis of scores, with any leading axes.
        generator: the source of the resamples.
        n_resamples: the number of resamples.
        level: the coverage of the interval.
    """
    for curve in curves:
        if np.ndim(curve) != 2:
            raise ValueError(f"a curve has shape {np.shape(curve)}, need [seeds, points] per task")
    scores = [np.transpose(curve) for curve in curves]
    return stratified_bootstrap(scores, statistic, generator, n_resamples, level)


def normalise(
    scores_by_task: Mapping[str, Mapping[str, np.ndarray]],
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Bounds]]:
    """Return the scores of each task on one scale, ``(score - low) / (high - low)``.

    Bounds from the data are the lowest and the highest score of all labels. They move when a label
    is added, so say where they are used. Scores outside given bounds are not clipped. A task whose
    scores are all equal has no scale, and any value for it would be an invention. It is refused
    unless its bounds are given.

    Args:
        scores_by_task: arrays of any shape, by task and label.
        bounds: low and high by task; a missing task gets the bounds of its data.

    Returns:
        The normalised scores by task and label, and the bounds that were used, by task.

    Raises:
        ValueError: if a score is not finite, or if the bounds of a task are not low < high.
    """
    used, normalised = {}, {}
    for task, by_label in scores_by_task.items():
        scores = {label: _finite(array, task) for label, array in by_label.items()}
        derived = min(map(np.min, scores.values())), max(map(np.max, scores.values()))
        low, high = map(float, (bounds or {}).get(task, derived))
        if not low < high:
            raise ValueError(
                f"bounds of task {task!r} are {low} and {high}, need low < high; "
                "give bounds for a task whose scores are all equal, or leave it out"
            )
        used[task] = Bounds(low, high, given=task in (bounds or {}))
        normalised[task] = {label: (a - low) / (high - low) for label, a in scores.items()}
    return normalised, used
