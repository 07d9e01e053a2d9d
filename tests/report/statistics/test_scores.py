import pytest
from support.recorded_runs import benchmarl_run, groups_of, own_run

from benchmarl_hyper.report.statistics.across_tasks import aggregate, complete, evenly
from benchmarl_hyper.report.statistics.scores import (
    absolute_scores,
    common_frames,
    extra_metrics,
    final_scores,
    learning_curves,
)


def suite(base, tasks=("a/x", "a/y"), seeds=3, **options):
    """``good`` reaches the value of its seed and more, ``bad`` nothing."""
    for task in tasks:
        for seed in range(seeds):
            own_run(base, "good", seed, [[0.0], [10.0 + seed]], task, **options)
            own_run(base, "bad", seed, [[0.0], [0.0]], task, **options)
    return groups_of(base)


def test_final_and_absolute_scores_by_hand(tmp_path):
    for seed, value in enumerate([1.0, 2.0, 3.0]):
        own_run(tmp_path, "nops", seed, [[9.0], [value]], absolute=[value + 1, value + 3])
    benchmarl_run(tmp_path / "host")
    groups = groups_of(tmp_path)
    final = final_scores(groups)["vmas/navigation"]["ippo_nops"]
    assert final.mean == 2.0
    assert final.interval == pytest.approx((-0.484, 4.484), abs=1e-3)
    assert list(absolute_scores(groups)["vmas/navigation"]) == ["ippo_nops"]
    assert absolute_scores(groups)["vmas/navigation"]["ippo_nops"].mean == 4.0


def test_two_seeds_have_no_interval(tmp_path):
    groups = suite(tmp_path, seeds=2)
    assert final_scores(groups)["a/x"]["ippo_good"].interval is None
    assert learning_curves(groups)["a/x"]["ippo_good"].low is None


def test_curves_are_at_common_frames(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0], [2.0], [3.0], [4.0]], every=100)
    own_run(tmp_path, "nops", 1, [[6.0], [8.0]], every=200)
    groups = groups_of(tmp_path)
    assert common_frames(groups["vmas/navigation"]["ippo_nops"]) == [200, 400]
    line = learning_curves(groups)["vmas/navigation"]["ippo_nops"]
    assert list(line.x) == [200, 400]
    assert list(line.y) == [4.0, 6.0]
    assert line.n == 2


def test_a_task_without_common_frames_has_no_curve(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0]], every=100)
    own_run(tmp_path, "nops", 1, [[1.0]], every=150)
    assert learning_curves(groups_of(tmp_path)) == {}


def test_other_metrics_are_those_beside_the_one_groups_return(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0], [1.0]], extra={"agents_won": [[0.0], [1.0]]})
    own_run(tmp_path, "fups", 0, [[1.0], [1.0]])
    groups = groups_of(tmp_path)
    assert extra_metrics(groups) == {"vmas/navigation": ["agents_won"]}
    lines = learning_curves(groups, "agents_won")["vmas/navigation"]
    assert list(lines) == ["ippo_nops"]
    assert list(lines["ippo_nops"].y) == [0.0, 1.0]


def test_returns_of_several_groups_are_metrics(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0]], extra={"prey_return": [[0.0]]})
    assert extra_metrics(groups_of(tmp_path)) == {
        "vmas/navigation": ["agents_return", "prey_return"]
    }


def test_aggregates_of_a_sure_winner(tmp_path):
    found = aggregate(suite(tmp_path))
    assert found.score == "final return"
    assert found.bounds["a/x"] == (0.0, 12.0, False)
    assert found.statistics["mean"]["ippo_good"].value == pytest.approx(11 / 12)
    assert found.statistics["optimality gap"]["ippo_bad"].value == 1.0
    assert found.improvement["ippo_bad", "ippo_good"] == (0.0, (0.0, 0.0))
    assert found.profiles["ippo_good"].y[0] == 1.0
    assert list(found.efficiency["ippo_good"].x) == [100, 200]
    assert found.efficiency_axis == "frames"
    low, high = found.statistics["IQM"]["ippo_good"].interval
    assert low <= found.statistics["IQM"]["ippo_good"].value <= high


def test_aggregates_repeat(tmp_path):
    groups = suite(tmp_path)
    assert aggregate(groups).statistics == aggregate(groups).statistics


def test_given_bounds_are_used_and_named(tmp_path):
    found = aggregate(suite(tmp_path), {"a/x": (0.0, 24.0)})
    assert found.bounds["a/x"] == (0.0, 24.0, True)
    assert not found.bounds["a/y"].given


def test_absolute_metrics_are_used_if_all_runs_have_them(tmp_path):
    assert aggregate(suite(tmp_path / "a", absolute=[5.0])).score == "absolute metric"
    benchmarl_run(tmp_path / "a" / "h")
    own_run(tmp_path / "a", "good", task="vmas/navigation", absolute=[1.0])
    found = aggregate(groups_of(tmp_path / "a"))
    assert found.notes == [
        "task vmas/navigation, on which some labels have no runs",
        "label ippo_mlp_shared, which has no runs on some tasks",
    ]


def test_tasks_without_a_scale_are_left_out(tmp_path):
    suite(tmp_path)
    for label in ("good", "bad"):
        own_run(tmp_path, label, 0, [[1.0], [1.0]], "a/flat")
    found = aggregate(groups_of(tmp_path))
    assert found.tasks == ["a/x", "a/y"]
    assert found.notes == ["task a/flat, whose scores are all equal"]


def test_nothing_to_aggregate_is_none(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0]])
    assert aggregate(groups_of(tmp_path)) is None


def test_tasks_of_different_lengths_share_an_axis(tmp_path):
    suite(tmp_path, tasks=("a/x",))
    for seed in range(3):
        for label in ("good", "bad"):
            own_run(tmp_path, label, seed, [[0.0], [1.0], [2.0 + seed]], "a/long")
    found = aggregate(groups_of(tmp_path))
    assert found.efficiency_axis == "share of the evaluations of each task"
    assert list(found.efficiency["ippo_good"].x) == [0, 1]


@pytest.mark.parametrize(
    ("groups", "tasks", "labels"),
    [
        ({"x": "ab", "y": "ab"}, ["x", "y"], ["a", "b"]),
        ({"x": "abc", "y": "ab"}, ["x", "y"], ["a", "b"]),
        ({"x": "ab", "y": "a"}, ["x"], ["a", "b"]),
        ({"x": "a", "y": "b"}, ["x"], ["a"]),
        ({"x": "abcd", "y": "ab", "z": "ab"}, ["x", "y", "z"], ["a", "b"]),
        ({"x": "a"}, ["x"], ["a"]),
    ],
)
def test_what_is_complete(groups, tasks, labels):
    assert complete({task: dict.fromkeys(names) for task, names in groups.items()})[:2] == (
        tasks,
        labels,
    )


def test_even_indices_hold_both_ends():
    assert list(evenly(5, 3)) == [0, 2, 4]
    assert list(evenly(5, 1)) == [4]
