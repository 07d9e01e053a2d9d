import pytest

from benchmarl_hyper.report.output.text import interval, listed, span, with_interval


def test_an_interval_has_two_ends_or_is_a_dash():
    assert interval((0.95, 1.0214)) == "0.950 to 1.021"
    assert interval((0.95, 1.0214), "{:.2g}".format) == "0.95 to 1"
    assert interval(None) == "-"


def test_a_value_may_have_no_interval():
    assert with_interval(1, (0.5, 1.5)) == "1.000 (0.500 to 1.500)"
    assert with_interval(1, None) == "1.000"


@pytest.mark.parametrize(
    ("names", "text"), [("ab", "a, b"), ("abcd", "a, b, c, d"), ("abcdef", "a, b, c, d and 2 more")]
)
def test_long_lists_are_cut(names, text):
    assert listed(list(names)) == text


def test_a_span_of_one_value_is_that_value():
    assert span([1000, 1000]) == "1,000"
    assert span([32, 1000, 64]) == "32 to 1,000"
