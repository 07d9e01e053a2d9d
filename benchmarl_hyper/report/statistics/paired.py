"""Differences between the returns of labels and of a baseline, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarl_hyper.report.reading.run import Run
from benchmarl_hyper.report.statistics.scores import Groups, Score, score


def paired_differences(groups: Groups, baseline: str) -> dict[str, dict[str, Score]]:
    """Return final returns minus those of the baseline's runs with the same seeds.

    Tasks without the baseline are left out, and so are labels that share no seed with it.

    Args:
        groups: runs by task and label.
        baseline: the label of the baseline.

    Returns:
        The differences by task and label.

    Raises:
        ValueError: if no run has the label ``baseline``; the message lists the labels.
    """
    labels = sorted({label for names in groups.values() for label in names})
    if baseline not in labels:
        raise ValueError(
            f"baseline {baseline!r} is not a label of these runs; choose one of {', '.join(labels)}"
        )
    by_task = {
        task: dict(_differences(names, baseline))
        for task, names in groups.items()
        if baseline in names
    }
    return {task: scores for task, scores in by_task.items() if scores}


def _differences(names: Mapping[str, Sequence[Run]], baseline: str) -> Iterator[tuple[str, Score]]:
    returns = {run.seed: run.final_return for run in names[baseline]}
    for label, runs in names.items():
        values = [run.final_return - returns[run.seed] for run in runs if run.seed in returns]
        if values and label != baseline:
            yield label, score(values)
