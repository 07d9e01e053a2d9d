import csv
import io

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
