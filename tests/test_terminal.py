import pytest

from benchmarl_hyper.terminal import duration, last_line, table


def test_columns_are_aligned_under_a_rule():
    assert table([["a", "long"], ["wider", "b"]]) == "a      long\n-----------\nwider  b"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.25, "1.2 s"), (42.4, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("error", "line"),
    [("Traceback\n  File x\n\nValueError: no\n", "ValueError: no"), ("", ""), (None, "")],
)
def test_of_a_traceback_the_last_line_counts(error, line):
    assert last_line(error) == line
