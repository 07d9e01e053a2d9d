"""Tables, and their text in CSV, LaTeX and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarl_hyper.report.output.text import with_interval
from benchmarl_hyper.report.statistics.scores import Score, standing

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
} | {character: f"\\{character}" for character in "&%$#_{}"}


@dataclass(frozen=True)
class Table:
    """A table of texts; ``bold`` has the row and the column of each bold cell."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: frozenset[tuple[int, int]] = frozenset()


def to_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as comma-separated values; None becomes an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue()


def to_markdown(table: Table) -> str:
    """Return a table in Markdown, with its caption below."""
    cells = [
        [f"**{text}**" if (i, j) in table.bold else text for j, text in enumerate(row)]
        for i, row in enumerate(table.rows)
    ]
    lines = [table.header, ["---"] * len(table.header), *cells]
    text = "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
    return f"{text}\n\n{table.caption}\n"


def to_latex(table: Table) -> str:
    """Return a table in LaTeX, for the package booktabs."""
    rows = [
        " & ".join(_latex_cell(text, (i, j) in table.bold) for j, text in enumerate(row)) + r" \\"
        for i, row in enumerate(table.rows)
    ]
    header = " & ".join(_escaped(text) for text in table.header) + r" \\"
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escaped(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{'l' * len(table.header)}}}",
            r"\toprule",
            header,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex_cell(text: str, bold: bool) -> str:
    return rf"\textbf{{{_escaped(text)}}}" if bold else _escaped(text)


def _escaped(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def overview(
    name: str,
    caption: str,
    scores: Mapping[str, Mapping[str, Score]],
    digits: int = 4,
    bold: Callable[[Mapping[str, Score], str], bool] | None = None,
) -> Table:
    """Return a table of means with intervals: a row per label, a column per task, n in the header.

    Args:
        name: the name of the table's files.
        caption: the caption, which says what the values are.
        scores: scores by task and label.
        digits: the number of significant digits.
        bold: a function that says whether the score of a label is bold, given the scores of its
            task; None for no bold ones.
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
    """Return whether a label has the highest mean, or an interval that overlaps its interval."""
    return standing(scores, label) in ("highest", "overlaps")


def apart_from_0(scores: Mapping[str, Score], label: str) -> bool:
    """Return whether a label has an interval that does not include 0."""
    interval = scores[label].interval
    return interval is not None and not interval[0] <= 0 <= interval[1]


def _cell(score: Score | None, digits: int) -> str:
    if score is None:
        return "-"
    return with_interval(score.mean, score.interval, partial(_number, digits=digits))


def _number(value: float, digits: int) -> str:
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def _n(scores: Mapping[str, Score]) -> str:
    counts = {len(score.seeds) for score in scores.values()}
    return str(*counts) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
