import pytest

from benchmarl_hyper.report.output.text import (
    count,
    distinct,
    interval,
    listed,
    number,
    printable,
    shortened,
    slug,
    span,
    with_interval,
)


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (count(0, "run"), "0 runs"),
        (count(1, "run"), "1 run"),
        (count(1000, "run"), "1,000 runs"),
        (span([1, 1], "frame"), "1 frame"),
        (span([1, 2], "frame"), "1 to 2 frames"),
    ],
)
def test_one_is_singular(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234.500"), (-1e9, "-1e+09"), (1.25e30, "1.25e+30")]
)
def test_huge_numbers_are_short(value, text):
    assert number(value) == text


def test_what_cannot_be_printed_is_told_by_its_number():
    assert printable("a\tb\nc\x1b[2J\u202e\ud800ä漢") == "a b c\\x1b[2J\\u202e\\ud800ä漢"


def test_long_names_keep_both_ends():
    assert shortened("x" * 40) == "x" * 40
    short = shortened("begin" + "x" * 500 + "end")
    assert len(short) == 40
    assert short.startswith("begin")
    assert short.endswith("end")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../x", "x"),
        ("a/b\\c", "a_b_c"),
        ("", "unnamed"),
        ("漢", "unnamed"),
        ("a" * 99, "a" * 60),
    ],
)
def test_a_slug_is_the_name_of_a_file(text, name):
    assert slug(text) == name


def test_names_of_files_differ_in_more_than_case():
    taken = {"cost"}
    assert [distinct(name, taken) for name in ("Cost", "x", "X", "x_2")] == [
        "Cost_2",
        "x",
        "X_2",
        "x_2_2",
    ]
