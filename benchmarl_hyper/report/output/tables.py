"""Tables, and their text in CSV, LaTeX and Markdown."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarl_hyper.report.output.text import number as written
from benchmarl_hyper.report.output.text import printable, with_interval
from benchmarl_hyper.report.statistics.scores import Score, standing

# A row that begins with [ or * would be read as an option of the line break before it
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "*": "{*}",
} | {character: f"\\{character}" for character in "&%$#_{}"}
# What Markdown or its HTML would read as more than text. An underscore counts at the end of a word.
MARKDOWN = re.compile(r"[\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# A spreadsheet takes other cells that begin like this for formulas
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_N = r"-?(\d[\d,]*(\.\d+)?(e[+-]?\d+)?|inf|nan)"
NUMBERS = re.compile(rf"-|{_N}( to {_N})?( \({_N} to {_N}\))?")


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        name: the name of its files.
        caption: what its cells are, in sentences.
        header: the names of its columns.
        rows: its cells.
        bold: the row and the column of each bold cell.
        title: what it shows, in a few words; empty to leave that to the caption.
    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: frozenset[tuple[int, int]] = frozenset()
    title: str = ""


def to_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as comma-separated values; None becomes an empty cell.

    A text that a spreadsheet would compute begins with an apostrophe. Numbers and intervals do not.
    """
    buffer = io.StringIO()
    lines = [[_csv_cell(cell) for cell in row] for row in [header, *rows]]
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return buffer.getvalue()


def _csv_cell(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if FORMULA.match(text) and not NUMBERS.fullmatch(text) else text


def to_markdown(table: Table) -> str:
    """Return a table in Markdown, with its caption below."""
    cells = [
        [_markdown_cell(text, (i, j) in table.bold) for j, text in enumerate(row)]
        for i, row in enumerate(table.rows)
    ]
    header = [_markdown_cell(text, False) for text in table.header]
    lines = [header, ["---"] * len(header), *cells]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{text}\n\n{_markdown_cell(table.caption, False)}\n"


def _markdown_cell(text: str, bold: bool) -> str:
    escaped = MARKDOWN.sub(r"\\\g<0>", printable(text))
    return f"**{escaped}**" if bold else escaped


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
    return "".join(LATEX.get(character, character) for character in printable(text))


def overview(
    name: str,
    caption: str,
    scores: Mapping[str, Mapping[str, Score]],
    digits: int = 4,
    bold: Callable[[Mapping[str, Score], str], bool] | None = None,
    title: str = "",
) -> Table:
    """Return a table of means with intervals: a row per label, a column per task, n in the header.

    Args:
        name: the name of the table's files.
        caption: the caption, which says what the values are.
        scores: scores by task and label.
        digits: the number of significant digits.
        bold: a function that says whether the score of a label is bold, given the scores of its
            task; None for no bold ones.
        title: what the table shows, in a few words.
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
    return Table(name, caption, header, rows, frozenset(outstanding), title)


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
    return written(value, ".0f") if abs(value) >= 10**digits else f"{value:.{digits}g}"


def _n(scores: Mapping[str, Score]) -> str:
    counts = {len(score.seeds) for score in scores.values()}
    return str(*counts) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
