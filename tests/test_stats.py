import numpy as np
import pytest

from benchmarl_hyper.stats import mean_interval


def test_interval_solved_by_hand():
    """Mean 2, standard error 1 / sqrt(3), and t = 4.3027 for 95% at two degrees of freedom."""
    assert mean_interval([1.0, 2.0, 3.0]) == pytest.approx((-0.4841, 4.4841), abs=1e-4)


@pytest.mark.parametrize("scores", [[], [1.0], [1.0, 2.0]])
def test_no_interval_below_three_scores(scores):
    assert mean_interval(scores) is None


def test_covers_the_mean_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(size=(2000, 5))
    covered = [low <= 0 <= high for low, high in map(mean_interval, samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)
