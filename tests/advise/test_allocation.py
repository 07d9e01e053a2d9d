"""Who gets the next seeds."""

import numpy as np

from benchmarl_hyper.advise.allocation import needed, next_look, seeds_to_decide
from benchmarl_hyper.advise.decisions import quantile, verdict

WAVE = np.array([0.01, -0.01, 0.0, 0.01, -0.01, 0.0])


def test_rounds_grow():
    assert [next_look(n) for n in (0, 3, 4, 5, 19, 28, 42)] == [4, 4, 6, 6, 28, 42, 63]


def found(between=0.95):
    between = between + WAVE[[1, 0, 2, 3, 5, 4]]
    return verdict({"best": 1 + WAVE, "between": between, "far": WAVE[::-1]}, [6], floor=0.0)


def test_undecided_ones_and_those_they_are_compared_with_go_on():
    assert needed(found()) == ["best", "between"]


def test_nobody_goes_on_when_all_is_decided():
    assert needed(verdict({"a": 1 + WAVE, "b": WAVE[::-1]}, [6], floor=0.0)) == []


def test_what_no_budget_decides_is_given_up():
    assert needed(found(0.947), horizon=60) == ["best", "between"]
    assert needed(found(0.947), horizon=7) == []
    noisy = verdict({"a": 0.95 + 20 * WAVE, "b": 1 - 20 * WAVE[::-1]}, [6], floor=0.0)
    assert needed(noisy, horizon=1000) == ["a", "b"]
    assert needed(noisy, horizon=7) == []


def test_early_on_everybody_goes_on():
    noisy = verdict({"a": [0.0, 5.0, 1.0], "b": [1.0, 0.0, 4.0]}, [3], floor=0.0)
    assert needed(noisy, horizon=3) == ["a", "b"]


def test_the_number_of_seeds_that_would_decide():
    one = found(0.945)
    n = seeds_to_decide(one, 1)
    spread, distance = one.spread[0, 1], 0.055 - one.margin
    assert quantile(one.tail, n) * spread / n**0.5 <= distance
    assert quantile(one.tail, n - 1) * spread / (n - 1) ** 0.5 > distance
    assert n > 7
    assert seeds_to_decide(one, 1, most=n - 1) is None
    assert seeds_to_decide(one, 2) is None  # decided
