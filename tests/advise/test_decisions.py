"""Decisions that can be checked by hand, and how often they are wrong."""

import numpy as np
import pytest
from scipy import stats

from benchmarl_hyper.advise.decisions import Decision, quantile, verdict
from benchmarl_hyper.advise.looks import level

EQUAL, WORSE, UNDECIDED = Decision.EQUAL, Decision.WORSE, Decision.UNDECIDED
WAVE = np.array([0.01, -0.01, 0.0, 0.01, -0.01, 0.0])  # mean 0


def test_intervals_are_students_t_at_the_level_of_the_look():
    scores = {"a": [1.0, 1.2, 1.4], "b": [0.0, 0.4, 0.5]}
    found = verdict(scores, [3], floor=0.0)
    differences = np.array([1.0, 0.8, 0.9])
    half = quantile(level((3,), 0.8 * 0.05), 3) * differences.std(ddof=1) / 3**0.5
    assert found.low[0, 1] == pytest.approx(0.9 - half)
    assert found.high[0, 1] == pytest.approx(0.9 + half)
    assert found.low[1, 0] == pytest.approx(-0.9 - half)
    assert found.margin == pytest.approx(0.05 * 1.2)
    # A third of the error is spent at three seeds, on one side
    assert level((3,), 0.04) == pytest.approx(0.04 / 3)
    assert quantile(0.025, 5) == pytest.approx(stats.t.ppf(0.975, 4))


def test_far_is_worse_near_is_as_good_and_between_is_undecided():
    scores = {
        "best": 1 + WAVE,
        "near": 0.99 + WAVE[::-1],
        "between": 0.95 + WAVE[[1, 0, 2, 3, 5, 4]],
        "far": WAVE,
    }
    found = verdict(scores, [6], floor=0.0)
    assert found.decisions == (EQUAL, EQUAL, UNDECIDED, WORSE)
    assert found.names[found.best] == "best"
    assert list(found.possible) == [True, True, False, False]


def test_the_range_begins_at_random_play_or_at_the_worst_candidate():
    scores = {"a": 1 + WAVE, "b": WAVE}
    assert verdict(scores, [6], floor=-1.0).margin == pytest.approx(0.05 * 2)
    assert verdict(scores, [6], floor=0.5, margin=0.1).margin == pytest.approx(0.1)


def test_what_a_seed_does_to_all_candidates_cancels():
    effect = np.array([-9.0, 7.0, 3.0, -5.0, 4.0, 0.0])
    plain = verdict({"a": 1 + WAVE, "b": WAVE[::-1]}, [6], floor=0.0)
    moved = verdict({"a": 1 + WAVE + effect, "b": WAVE[::-1] + effect}, [6], floor=0.0)
    assert moved.decisions == plain.decisions == (EQUAL, WORSE)
    np.testing.assert_allclose(moved.low, plain.low, atol=1e-12)


def test_two_seeds_decide_nothing():
    found = verdict({"a": [1.0, 1.0], "b": [0.0, 0.0]}, [], floor=0.0)
    assert found.decisions == (UNDECIDED, UNDECIDED)
    assert np.isinf(found.low).all()


def test_equal_scores_do_not_prove_that_seeds_are_equal():
    found = verdict({"a": [1.0] * 5, "b": [1.0] * 5}, [5], floor=0.0)
    half = quantile(found.tail, 5) * 0.25 * 0.05 / 5**0.5
    assert found.high[0, 1] == pytest.approx(half)
    assert found.decisions == (EQUAL, EQUAL)
    with_four = verdict({"a": [1.0] * 4, "b": [1.0] * 4}, [4], floor=0.0)
    assert with_four.decisions == (UNDECIDED, UNDECIDED)


def test_all_scores_may_be_equal_to_random_play():
    found = verdict({"a": [0.0] * 6, "b": [0.0] * 6}, [6], floor=0.0)
    assert found.decisions == (EQUAL, EQUAL)
    assert found.margin == 0


def test_a_failed_seed_is_left_out_of_its_pairs():
    broken = [*(1 + WAVE[:5]), np.nan]
    found = verdict({"a": broken, "b": 0 * WAVE, "c": -1 + WAVE[::-1]}, [6], floor=0.0)
    alone = verdict({"a": broken[:5], "b": 0 * WAVE[:5]}, [6], floor=-1.0)
    assert found.difference[0, 1] == pytest.approx(alone.difference[0, 1])
    assert found.decisions == (EQUAL, WORSE, WORSE)
    with pytest.raises(ValueError, match="candidate 'a' has no score; leave it out"):
        verdict({"a": [np.nan] * 3, "b": [1.0] * 3}, [3], floor=0.0)


def test_a_decision_stays_when_more_seeds_follow():
    turned = [*WAVE, *(5.0, 9.0, 7.0)]
    early = verdict({"a": 1 + WAVE, "b": WAVE[::-1]}, [6], floor=0.0)
    later = verdict({"a": [*(1 + WAVE), *WAVE[:3]], "b": turned}, [6, 9], floor=0.0)
    assert early.decisions == later.decisions == (EQUAL, WORSE)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="got 1 candidate, need two or more"):
        verdict({"a": [1.0]}, [3], floor=0.0)
    with pytest.raises(ValueError, match="margin must be above 0, got -1"):
        verdict({"a": [1.0], "b": [1.0]}, [3], floor=0.0, margin=-1)
    with pytest.raises(ValueError, match="margin must be above 0, got nan"):
        verdict({"a": [1.0], "b": [1.0]}, [3], floor=0.0, margin=float("nan"))


def wrong(means, deviations, generator, looks=(4, 6, 9, 13)):
    """Whether one decision of all looks is wrong, for normal scores."""
    scores = generator.normal(means, deviations, (looks[-1], len(means)))
    found = verdict(dict(enumerate(scores.T)), looks, floor=-100.0)
    is_worse = np.max(means) - np.array(means) > 5
    return any(
        one is (EQUAL if bad else WORSE) for one, bad in zip(found.decisions, is_worse, strict=True)
    )


@pytest.mark.parametrize(
    ("means", "deviations"),
    [
        ([0, -4.9999, -4.9999, -4.9999], [3, 1, 6, 10]),  # within the margin, but hardly
        ([0, -5.3, -5.3, -5.3], [3, 1, 6, 10]),  # worse, but hardly
        ([0, 0, 0, 0], [10, 10, 10, 10]),
        ([0, -4.9999], [4, 8]),
    ],
)
def test_one_answer_in_twenty_is_wrong_at_most(means, deviations):
    generator, n = np.random.default_rng(1), 500
    rate = np.mean([wrong(means, deviations, generator) for _ in range(n)])
    assert stats.binomtest(int(rate * n), n, 0.05, alternative="greater").pvalue > 0.001
