"""Tables as papers print them: a row per label, a column per task."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.statistics.scores import Score, standing


def overview(
    name: str,
    caption: str,
    scores: Mapping[str, Mapping[str, Score]],
    digits: int = 4,
    bold: Callable[[Mapping[str, Score], str], bool] | None = None,
) -> Table:
    """Means with their intervals, and n in the header.

    Args:
        name: of the table's files.
        caption: what the values are.
        scores: by task and label.
        digits: significant ones.
        bold: whether a label stands out among the scores of a task.
    """
    labels = sorted({label for of_task in scores.values() for label in of_task})
    rows = [
        [label, *(_cell(of_task.get(label), digits) for of_task in scores.values())]
        for label in labels
    ]
    outstanding = {
        (row, column)
        for row, label in enumerate(labels)
        for column, of_task in enumerate(scores.values(), start=1)
        if bold and label in of_task and bold(of_task, label)
    }
    header = ["label", *(f"{task} (n = {_n(of_task)})" for task, of_task in scores.items())]
    return Table(name, caption, header, rows, frozenset(outstanding))


def leading(scores: Mapping[str, Score], label: str) -> bool:
    """Whether a label has the highest mean, or an interval that overlaps its."""
    return standing(scores, label) in ("highest", "overlaps")


def apart_from_0(scores: Mapping[str, Score], label: str) -> bool:
    """Whether a label's interval leaves out 0."""
    interval = scores[label].interval
    return interval is not None and not interval[0] <= 0 <= interval[1]


def _cell(score: Score | None, digits: int) -> str:
    if score is None:
        return "-"
    mean, *ends = (_number(value, digits) for value in (score.mean, *(score.interval or ())))
    return f"{mean} ({ends[0]} to {ends[1]})" if ends else mean


def _number(value: float, digits: int) -> str:
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def _n(scores: Mapping[str, Score]) -> str:
    counts = {len(score.seeds) for score in scores.values()}
    return str(*counts) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
