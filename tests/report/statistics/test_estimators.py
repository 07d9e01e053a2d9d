from functools import partial

import numpy as np
import pytest
from scipy.stats import norm, t
from support.extras import imported

from benchmarl_hyper.report.statistics.estimators import (
    Bounds,
    improvement_estimate,
    iqm,
    mean,
    mean_interval,
    median,
    normalise,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    profile_estimate,
    sample_efficiency,
    stratified_bootstrap,
)

library, metrics = (imported(f"rliable.{name}", "test") for name in ("library", "metrics"))

AGGREGATES = [
    (iqm, metrics.aggregate_iqm),
    (mean, metrics.aggregate_mean),
    (median, metrics.aggregate_median),
    (optimality_gap, metrics.aggregate_optimality_gap),
]
STATISTICS = [statistic for statistic, _ in AGGREGATES]
RAGGED = [np.array([1.0, 2.0, 3.0]), np.array([4.0]), np.array([0.0, 9.0])]
THRESHOLDS = np.array([-1.0, 0.25, 0.5, 2.0])


def generator(seed=0):
    return np.random.default_rng(seed)


def draw(*seeds, random=None):
    """Scores between 0 and 1.5 of as many tasks as numbers of seeds are given."""
    random = random or generator(1)
    return [1.5 * random.random(n) for n in seeds]


@pytest.fixture
def seeded_numpy():
    """What rliable draws from, whatever generator it is given."""
    state = np.random.get_state()
    np.random.seed(0)
    yield
    np.random.set_state(state)


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


@pytest.mark.parametrize(
    ("statistic", "value"),
    [(mean, 3.5), (median, 4.0), (optimality_gap, 1 - (1 + 1 + 0.5) / 3)],
)
def test_tasks_weigh_the_same_whatever_their_seeds(statistic, value):
    """Their means are 2, 4 and 4.5; cut at 1, they are 1, 1 and 0.5."""
    assert statistic(RAGGED) == pytest.approx(value)


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        ([[0.0, 2.0, 4.0, 100.0]], 3.0),
        ([[0.0, 2.0], [4.0, 100.0]], 3.0),
        ([[0.0, 1.0, 2.0]], 1.0),  # a quarter of 3 runs is less than one
        ([[5.0]], 5.0),
        # Entries 0 0 0 1 1 2 2 3 3 4 4 4 4 4 4 9 9 9 without 4 at each end
        (RAGGED, (1 + 2 + 2 + 3 + 3 + 4 * 5) / 10),
    ],
)
def test_interquartile_mean_solved_by_hand(scores, value):
    assert iqm([np.array(task) for task in scores]) == pytest.approx(value)


@pytest.mark.parametrize("counts", [(3, 3), (5, 3), (4, 6, 1)])
def test_unequal_seeds_count_as_if_each_run_were_repeated(counts):
    scores = draw(*counts)
    entries = np.lcm.reduce(counts)
    repeated = np.stack([np.repeat(task, entries // len(task)) for task in scores], axis=1)
    assert iqm(scores) == pytest.approx(metrics.aggregate_iqm(repeated))


@pytest.mark.parametrize(("gamma", "gap"), [(1.0, 0.25), (2.0, 0.75), (0.0, 0.0)])
def test_optimality_gap_solved_by_hand(gamma, gap):
    assert optimality_gap([np.array([0.5, 2.0])], gamma) == pytest.approx(gap)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_order_of_seeds_and_tasks_does_not_matter(statistic):
    scores = draw(5, 3, 4)
    shuffled = [generator().permutation(task) for task in scores[::-1]]
    assert statistic(shuffled) == pytest.approx(statistic(scores), rel=1e-12)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_leading_axes_are_kept(statistic):
    scores = [generator(n).normal(size=(2, 4, n)) for n in (5, 3)]
    expected = [[statistic([task[i, j] for task in scores]) for j in range(4)] for i in range(2)]
    np.testing.assert_allclose(statistic(scores), expected)


@pytest.mark.parametrize(("ours", "theirs"), AGGREGATES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (10, 8), (7, 1)])
def test_values_are_those_of_rliable(ours, theirs, shape):
    matrix = 1.5 * generator().random(shape)
    assert ours(list(matrix.T)) == pytest.approx(theirs(matrix), rel=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), AGGREGATES)
@pytest.mark.usefixtures("seeded_numpy")
def test_intervals_are_those_of_rliable(ours, theirs):
    """The 2.5% quantile of n draws has a standard error of sqrt(0.025 * 0.975 / n) / density.

    That is 0.015 widths of a normal interval for the 2,000 of rliable and 0.007 for ours, 0.017 for
    their difference. Four of these are allowed.
    """
    matrix = 1.5 * generator().random((10, 8))
    _, intervals = library.get_interval_estimates(
        {"ours": matrix}, lambda scores: np.array([theirs(scores)]), reps=2_000
    )
    interval = stratified_bootstrap(list(matrix.T), ours, generator()).interval
    tolerance = 4 * 0.017 * (interval[1] - interval[0])
    assert interval == pytest.approx(intervals["ours"][:, 0], abs=tolerance)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("counts", [(3,), (10,) * 8, (4, 3, 7)])
def test_interval_holds_the_value(statistic, counts):
    scores = draw(*counts)
    value, (low, high) = stratified_bootstrap(scores, statistic, generator(), 1_000)
    assert value == statistic(scores)
    assert low < value < high


def test_same_generator_gives_same_interval():
    scores = draw(5, 4)
    first, again, other = (stratified_bootstrap(scores, iqm, generator(s), 500) for s in (0, 0, 1))
    assert first == again
    assert first.value == other.value
    assert first.interval != other.interval


def test_interval_widens_with_its_level():
    scores = draw(5, 4)
    low, high = stratified_bootstrap(scores, mean, generator(), 500, 0.5).interval
    lower, higher = stratified_bootstrap(scores, mean, generator(), 500, 0.9).interval
    assert lower < low < high < higher


def test_runs_stay_in_their_task():
    """Tasks without spread have none together, however far apart they are."""
    value, interval = stratified_bootstrap([np.zeros(4), np.full(3, 10.0)], mean, generator(), 100)
    assert (value, interval) == (5.0, (5.0, 5.0))


@pytest.mark.parametrize("counts", [(1,), (2,), (5, 2)])
def test_no_bootstrap_interval_below_three_seeds(counts):
    scores = draw(*counts)
    assert stratified_bootstrap(scores, iqm, generator()) == (iqm(scores), None)


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seeds"), [(1, 3), (1, 10), (8, 3), (8, 10)])
def test_bootstrap_covers_as_often_as_its_docstring_says(tasks, seeds):
    """Its variance of the mean is the sample's with n instead of n - 1, whose ratio has a t law.

    The standard error of a coverage of 0.9 in 1,000 trials is 0.01; with 3 seeds of one task the
    resamples take 10 values only, so that the law is approximate.
    """
    random = generator()
    covered = []
    for _ in range(1_000):
        scores = list(random.normal(size=(tasks, seeds)))
        low, high = stratified_bootstrap(scores, mean, random, 300).interval
        covered.append(low <= 0 <= high)
    reach = norm.ppf(0.975) * np.sqrt((seeds - 1) / seeds)
    assert np.mean(covered) == pytest.approx(2 * t.cdf(reach, tasks * (seeds - 1)) - 1, abs=0.035)


@pytest.mark.parametrize(
    ("x", "y", "probability"),
    [
        ([[1.0, 3.0]], [[2.0]], 0.5),
        ([[1.0, 3.0, 2.0]], [[2.0]], 0.5),
        ([[2.0, 3.0]], [[0.0, 1.0]], 1.0),
        ([[0.0]], [[1.0, 2.0]], 0.0),
        ([[1.0], [1.0]], [[0.0], [1.0]], 0.75),
        ([[1.0, 2.0]], [[1.0, 2.0]], 0.5),
    ],
)
def test_probability_of_improvement_solved_by_hand(x, y, probability):
    x, y = ([np.array(task) for task in scores] for scores in (x, y))
    assert probability_of_improvement(x, y) == pytest.approx(probability)


def test_one_improves_as_often_as_the_other_does_not():
    x, y = [np.round(task, 1) for task in draw(9, 7)], [np.round(task, 1) for task in draw(4, 8)]
    assert probability_of_improvement(x, y) == pytest.approx(1 - probability_of_improvement(y, x))


def test_probability_of_improvement_is_that_of_rliable():
    x, y = (np.round(generator(seed).random((n, 4)), 1) for seed, n in ((0, 6), (1, 9)))
    expected = metrics.probability_of_improvement(x, y)
    assert probability_of_improvement(list(x.T), list(y.T)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures("seeded_numpy")
def test_interval_of_improvement_is_that_of_rliable():
    """The tolerance is four standard errors, for 500 draws of rliable."""
    x, y = (generator(seed).random((n, 4)) for seed, n in ((0, 6), (1, 9)))
    _, intervals = library.get_interval_estimates(
        {"ours": [x, y]},
        lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
        reps=500,
    )
    value, interval = improvement_estimate(list(x.T), list(y.T), generator())
    assert interval[0] < value < interval[1]
    tolerance = 4 * 0.031 * (interval[1] - interval[0])
    assert interval == pytest.approx(intervals["ours"][:, 0], abs=tolerance)


def test_both_sides_are_drawn():
    flat = [np.array([1.0, 1.0, 1.0])]
    spread = [np.array([0.0, 1.0, 2.0])]
    for x, y in ((flat, spread), (spread, flat)):
        low, high = improvement_estimate(x, y, generator(), 500).interval
        assert low < 0.5 < high


def test_performance_profile_solved_by_hand():
    scores = [np.array([0.0, 0.5, 1.0, 1.0]), np.array([0.25])]
    expected = [1.0, (0.75 + 0) / 2, (0.5 + 0) / 2, 0.0]
    np.testing.assert_allclose(performance_profile(scores, THRESHOLDS), expected)


def test_performance_profile_is_that_of_rliable():
    matrix, taus = generator().random((6, 4)), np.linspace(0, 1, 20)
    expected = library.score_distributions(matrix, taus)
    np.testing.assert_allclose(performance_profile(list(matrix.T), taus), expected)


def test_profile_is_a_falling_line_within_its_interval():
    scores, taus = draw(6, 5), np.linspace(-0.1, 1.6, 30)
    value, (low, high) = profile_estimate(scores, taus, generator(), 1_000)
    np.testing.assert_array_equal(value, performance_profile(scores, taus))
    assert (np.diff(value) <= 0).all()
    assert ((low <= value) & (value <= high)).all()
    assert value[0] == low[0] == high[0] == 1
    assert value[-1] == low[-1] == high[-1] == 0


@pytest.mark.parametrize("statistic", STATISTICS)
def test_curve_is_the_statistic_at_each_point(statistic):
    curves = [generator(n).random((n, 6)) for n in (5, 4)]
    value, (low, high) = sample_efficiency(curves, statistic, generator(), 500)
    for point in range(6):
        assert value[point] == pytest.approx(statistic([curve[:, point] for curve in curves]))
    assert low.shape == high.shape == (6,)
    assert ((low < value) & (value < high)).all()


def test_curves_are_drawn_as_wholes():
    """A curve and its double have intervals that are doubles, which separate draws would not."""
    curve = generator().random((5, 1)) * [1.0, 2.0]
    _, ends = sample_efficiency([curve], mean, generator(), 200)
    assert all(end[1] == pytest.approx(2 * end[0]) for end in ends)


def test_curves_of_two_seeds_have_no_interval():
    value, interval = sample_efficiency([np.ones((2, 4))], iqm, generator())
    assert value.shape == (4,)
    assert interval is None


def test_normalises_by_all_labels_of_a_task():
    scores = {
        "near": {"a": np.array([1.0, 2.0]), "b": np.array([3.0])},
        "far": {"a": np.array([[-10.0, 0.0]]), "b": np.array([[10.0, 5.0]])},
    }
    normalised, bounds = normalise(scores)
    np.testing.assert_allclose(normalised["near"]["a"], [0, 0.5])
    np.testing.assert_allclose(normalised["near"]["b"], [1])
    np.testing.assert_allclose(normalised["far"]["b"], [[1, 0.75]])
    assert bounds == {"near": Bounds(1, 3, given=False), "far": Bounds(-10, 10, given=False)}


def test_given_bounds_are_used_and_do_not_clip():
    scores = {"known": {"a": np.array([5.0, 20.0])}, "other": {"a": np.array([1.0, 2.0])}}
    normalised, bounds = normalise(scores, {"known": (0, 10)})
    np.testing.assert_allclose(normalised["known"]["a"], [0.5, 2])
    assert [bounds[task].given for task in scores] == [True, False]


def test_scale_and_origin_of_a_task_do_not_matter():
    scores = {"task": {"a": np.array([1.0, 2.0]), "b": np.array([4.0, 3.0])}}
    moved = {"task": {label: 7 * array - 100 for label, array in scores["task"].items()}}
    for label in "ab":
        first, second = (normalise(s)[0]["task"][label] for s in (scores, moved))
        np.testing.assert_allclose(first, second)


@pytest.mark.parametrize("bounds", [None, {"easy": (1.0, 0.0)}, {"easy": (0.0, float("nan"))}])
def test_refuses_a_task_without_scale(bounds):
    scores = {"easy": {"a": np.ones(3), "b": np.ones(2)}}
    with pytest.raises(ValueError, match=r"bounds of task 'easy' are .* need low < high"):
        normalise(scores, bounds)


FUNCTIONS = [
    *STATISTICS,
    partial(performance_profile, thresholds=THRESHOLDS),
    lambda scores: probability_of_improvement(scores, scores),
    lambda scores: stratified_bootstrap(scores, mean, generator()),
    lambda scores: improvement_estimate(scores, scores, generator()),
]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], "scores of 0 tasks, need one or more"),
        ([np.ones(2), np.array([])], r"task 1 have shape \(0,\), need one score per seed"),
        ([0.5, 0.7], r"task 0 have shape \(\), need one score per seed"),
        ([np.array([1.0, np.nan])], "task 0 has a score of nan, which is not finite; leave out"),
        ([np.array([1.0, -np.inf])], "a score of -inf"),
        ([np.ones((2, 3)), np.ones((4, 3))], r"tasks have \[\(2,\), \(4,\)\] scores per seed"),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_refuses_scores_it_cannot_use(function, scores, message):
    with pytest.raises(ValueError, match=message):
        function(scores)


def test_names_the_task_of_a_missing_score():
    with pytest.raises(ValueError, match="task 'spread' has a score of nan"):
        normalise({"spread": {"a": np.array([np.nan, 1.0])}})


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
def test_refuses_a_level_that_is_no_probability(level):
    with pytest.raises(ValueError, match=f"level must lie between 0 and 1, got {level}"):
        stratified_bootstrap([np.arange(5.0)], mean, generator(), level=level)


def test_refuses_different_tasks():
    for compare in (probability_of_improvement, partial(improvement_estimate, generator=None)):
        with pytest.raises(ValueError, match="x has 2 tasks and y 1; compare on the tasks both"):
            compare(draw(3, 3), draw(3))


def test_refuses_final_scores_as_curves():
    with pytest.raises(ValueError, match=r"a curve has shape \(5,\), need \[seeds, points\]"):
        sample_efficiency([np.ones(5)], iqm, generator())
