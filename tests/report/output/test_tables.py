import csv
import io
import re

import pytest

from benchmarl_hyper.report.output.tables import (
    Table,
    apart_from_0,
    leading,
    overview,
    to_csv,
    to_latex,
    to_markdown,
)
from benchmarl_hyper.report.statistics.scores import score


def test_csv_is_read_back():
    rows = [["a,b", 'say "x"', None], ["c", "1", 2.5]]
    assert list(csv.reader(io.StringIO(to_csv(["x", "y", "z"], rows)))) == [
        ["x", "y", "z"],
        ["a,b", 'say "x"', ""],
        ["c", "1", "2.5"],
    ]


def test_latex_is_escaped_and_bold():
    table = Table(
        "scores", "100% of runs", ["label"], [["ippo_nops"], ["a & b"]], frozenset({(0, 0)})
    )
    text = to_latex(table)
    assert r"\textbf{ippo\_nops} \\" in text
    assert r"a \& b \\" in text
    assert r"\caption{100\% of runs}" in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")


def test_markdown_is_a_table_with_its_caption_below():
    table = Table("x", "Caption.", ["label", "n"], [["a|b", "3"], ["c", "4"]], frozenset({(1, 0)}))
    assert to_markdown(table).splitlines() == [
        "| label | n |",
        "| --- | --- |",
        r"| a\|b | 3 |",
        "| **c** | 4 |",
        "",
        "Caption.",
    ]


SCORES = {
    "games/a": {"nops": score([1.0, 2.0, 3.0]), "fups": score([0.0, 0.0, 0.0])},
    "games/b": {"nops": score([12345.6, 12345.6]), "dico": score([0.5])},
}


def test_a_row_per_label_and_a_column_per_task():
    table = overview("returns", "caption", SCORES)
    assert table.header == ["label", "games/a (n = 3)", "games/b (n = 1 to 2)"]
    assert table.rows == [
        ["dico", "-", "0.5"],
        ["fups", "0 (0 to 0)", "-"],
        ["nops", "2 (-0.4841 to 4.484)", "12346"],
    ]
    assert not table.bold


def test_digits_are_significant_ones():
    assert overview("x", "", SCORES, digits=2).rows[2][1] == "2 (-0.48 to 4.5)"


def test_what_stands_out_is_the_highest_and_what_overlaps_it():
    of_task = {
        "a": score([10, 11, 12]),
        "b": score([9, 10, 11]),
        "c": score([0, 1, 2]),
        "d": score([9, 9]),  # too few to say
    }
    table = overview(
        "returns", "", {"task": of_task, "other": {"c": score([1, 1, 1])}}, bold=leading
    )
    assert table.bold == {(0, 1), (1, 1), (2, 2)}


def test_intervals_apart_from_0():
    scores = {
        "above": score([1, 2, 3, 2]),
        "below": score([-1, -2, -3, -2]),
        "around": score([-1, 0, 2]),
        "none": score([0, 0, 0]),
        "few": score([5, 5]),
    }
    assert [label for label in scores if apart_from_0(scores, label)] == ["above", "below"]


FORMULAS = [
    "=1+1",
    "+cmd",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "\uff1d1",
    "-cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_spreadsheet_computes_no_cell(text):
    ((header,), (cell,)) = csv.reader(io.StringIO(to_csv([text], [[text]])))
    assert header == cell
    assert cell.startswith("'")


NUMBERS = ["-", "-0.5", "-1,234", "-1e-05", "-inf", "-0.4841 to 4.484", "-2 (-2.5 to -1.5)", "nan"]


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_stay_numbers(text):
    assert to_csv(["x"], [[text]]).splitlines()[1].strip('"') == text
    assert to_csv(["x"], [[-0.5]]) == "x\n-0.5\n"


NASTY = "$x_1^2$ \\input{a} 50% #1 & {b} ~ <script>alert(1)</script> [a](b) `c` |d| *e*\nf\x1b[2J"


def test_latex_and_markdown_read_only_text():
    table = Table(NASTY[:3], NASTY, [NASTY], [[NASTY], ["[5cm]"], ["*"]], frozenset({(0, 0)}))
    latex = to_latex(table).replace(r"\label{tab:$x_}", "")
    body = latex[latex.index(r"\toprule") :]
    for command in (r"\input", "<script>", "|d|", "\x1b"):
        assert command not in latex
    assert r"\textbackslash{}input\{a\}" in body
    assert r"\$x\_1\textasciicircum{}2\$" in body
    assert not re.search(r"\\\\\s*[\[*]", body)  # a row is no option of the line break before it
    lines = to_markdown(table).splitlines()
    assert len(lines) == 2 + 3 + 2
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 2 for line in lines[:5])
    assert not any(re.search(r"(?<!\\)[<`$\[]", line) for line in lines)


def test_markdown_leaves_names_as_they_are():
    table = Table("x", "", ["label"], [["ippo_hypermarl_mlp"], ["_x_"]])
    assert to_markdown(table).splitlines()[2:4] == ["| ippo_hypermarl_mlp |", r"| \_x\_ |"]


def test_huge_numbers_are_written_short():
    table = overview("x", "", {"t": {"a": score([1e30]), "b": score([-1e99, 0.0, 1e99])}})
    assert [row[1] for row in table.rows] == ["1e+30", "0 (-2.484e+99 to 2.484e+99)"]
