from support.recorded_runs import own_run

from benchmarl_hyper.report.output.marl_eval import marl_eval
from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.statistics.scores import grouped


def exported(folder):
    return marl_eval(grouped(read([folder]).runs))


def test_marl_eval_has_a_return_in_every_step_and_in_the_absolute_metrics(tmp_path):
    for label in ("nops", "fups"):
        for seed in range(2):
            own_run(tmp_path, label, seed, [[1.0, 2.0], [3.0, 4.0]], absolute=[5.0] * 4)
    data, notes = exported(tmp_path)
    assert notes == []
    labels = data["vmas"]["navigation"]
    assert list(labels) == ["ippo_fups", "ippo_nops"]
    assert labels["ippo_nops"]["seed_1"] == {
        "step_0": {"step_count": 100, "return": [1.0, 2.0]},
        "step_1": {"step_count": 200, "return": [3.0, 4.0]},
        "absolute_metrics": {"return": [5.0] * 4},
    }


def test_if_not_all_runs_were_re_evaluated_the_last_evaluation_stands_in(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0], [3.0]], absolute=[5.0])
    own_run(tmp_path, "fups", 0, [[1.0], [2.0]])
    data, _ = exported(tmp_path)
    runs = [seeds["seed_0"] for seeds in data["vmas"]["navigation"].values()]
    assert [run["absolute_metrics"]["return"] for run in runs] == [[2.0], [3.0]]


def test_ragged_results_become_equal_and_say_what_is_left_out(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0]] * 4, "a/x")
    own_run(tmp_path, "nops", 1, [[1.0]] * 4, "a/x")
    own_run(tmp_path, "nops", 0, [[1.0]] * 2, "a/y", every=500)
    own_run(tmp_path, "fups", 0, [[1.0]] * 2, "a/y", every=500)
    data, notes = exported(tmp_path)
    assert notes == [
        "ippo_fups, which has no runs on some tasks of a",
        "runs on a beyond 1 run per task and label",
        "evaluations on a beyond 2 points per run",
    ]
    (run,) = data["a"]["x"]["ippo_nops"].values()
    assert [run[f"step_{i}"]["step_count"] for i in range(2)] == [100, 400]


def test_an_environment_without_common_evaluations_is_left_out(tmp_path):
    own_run(tmp_path, "nops", 0, [[1.0]], every=100)
    own_run(tmp_path, "nops", 1, [[1.0]], every=150)
    data, notes = exported(tmp_path)
    assert data == {}
    assert "a task has no evaluation that all of its runs share" in notes[0]


def test_numbers_have_the_digits_of_float32(tmp_path):
    own_run(tmp_path, returns=[[0.10000000149011612, 1 / 3]])
    data, _ = exported(tmp_path)
    assert data["vmas"]["navigation"]["ippo_nops"]["seed_0"]["step_0"]["return"] == [
        0.100000001,
        0.333333333,
    ]


def test_commas_are_not_in_labels(tmp_path):
    own_run(tmp_path, label="ippo_a,b")
    assert list(exported(tmp_path)[0]["vmas"]["navigation"]) == ["ippo_a;b"]
