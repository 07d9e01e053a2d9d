"""The levels of looks, against what is known and against simulation."""

import numpy as np
import pytest
from scipy import stats

from benchmarl_hyper.advise import looks as at_looks
from benchmarl_hyper.advise.looks import level, spent


def test_the_error_is_spent_bit_by_bit_and_never_all_of_it():
    assert spent(2) == 0
    assert spent(4) == pytest.approx(0.5)
    assert 0.999 < spent(10_000) < 1


def test_the_first_look_has_the_level_that_is_spent():
    assert level((4,), 0.05) == pytest.approx(0.025, rel=1e-6)


def test_equal_looks_are_those_of_pocock(monkeypatch):
    """With the spending of his constant boundary for two equal looks, its level comes out."""
    z = 2.178  # Jennison and Turnbull 2000, table 2.1: K = 2, two-sided 5%
    first = stats.norm.sf(z)
    monkeypatch.setattr(at_looks, "spent", lambda n: {0: 0, 5: first / 0.025, 10: 1}[n])
    at_looks._levels.cache_clear()
    try:
        assert level((5, 10), 0.025) == pytest.approx(first, rel=2e-3)
    finally:
        at_looks._levels.cache_clear()


def test_all_looks_together_are_wrong_as_often_as_they_may_be():
    every = (3, 5, 8, 12)
    sums = np.random.default_rng(0).standard_normal((200_000, 12)).cumsum(axis=1)
    beyond = [
        sums[:, n - 1] > stats.norm.isf(level(every[: k + 1], 0.05)) * n**0.5
        for k, n in enumerate(every)
    ]
    assert np.mean(np.any(beyond, axis=0)) == pytest.approx(0.05 * spent(12), rel=0.03)


def test_a_look_at_two_seeds_is_refused():
    with pytest.raises(ValueError, match="first look at 2 seeds; a look needs 3 or more"):
        level((2,), 0.05)
