import json
import os
import re
from pathlib import Path

import pytest
from benchmarl.models import model_config_registry
from support.benchmarl_requests import ALL_MODELS
from support.recorded_runs import benchmarl_run, config, own_run, results

from benchmarl_hyper.report.reading.benchmarl_labels import BENCHMARL_MODELS, benchmarl_label
from benchmarl_hyper.report.reading.results import read


def test_our_run_has_its_label_settings_and_absolute_metric(tmp_path):
    folder = own_run(tmp_path, "nops", 3, [[0.0, 9.0], [1.0, 2.0]], absolute=[4.0, 6.0])
    (run,) = read([tmp_path]).runs
    assert (run.task, run.label, run.seed) == ("vmas/navigation", "ippo_nops", "3")
    assert (run.final_return, run.absolute_return) == (1.5, 5.0)
    assert Path(str(run.place)) == folder
    assert run.settings["experiment"]["lr"] == 0.001
    assert run.record["commit"] == "0123abc"


def test_a_run_that_was_not_re_evaluated_has_no_absolute_metric(tmp_path):
    own_run(tmp_path, absolute=[9.0], absolute_frames=None)
    assert read([tmp_path]).runs[0].absolute_return is None


def test_a_label_of_the_record_counts(tmp_path):
    own_run(tmp_path, "nops", label="ippo_nops_wide")
    assert read([tmp_path]).runs[0].label == "ippo_nops_wide"


def test_evaluations_are_ordered_by_frames_and_not_by_name(tmp_path):
    own_run(tmp_path, returns=[[float(i)] for i in range(12)])
    (run,) = read([tmp_path]).runs
    assert [evaluation.frames for evaluation in run.evaluations] == list(range(100, 1300, 100))
    assert run.final_return == 11.0


def test_numbers_in_names_of_tasks_are_ordered_by_value(tmp_path):
    for task in ("games/x_16", "games/x_2", "bps/y_3"):
        own_run(tmp_path, task=task)
    assert [run.task for run in read([tmp_path]).runs] == ["bps/y_3", "games/x_2", "games/x_16"]


def test_earlier_attempts_and_our_own_export_are_not_read(tmp_path):
    folder = own_run(tmp_path)
    attempt = folder / "attempts" / "1" / "old"
    attempt.mkdir(parents=True)
    content = json.dumps(results("vmas/navigation", "ippo_nops", 0, [[7.0]]))
    (attempt / "old.json").write_text(content, encoding="utf-8")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "marl_eval.json").write_text(content, encoding="utf-8")
    assert len(read([tmp_path]).runs) == 1


def test_a_folder_given_twice_counts_once(tmp_path):
    folder = own_run(tmp_path)
    assert len(read([tmp_path, folder, tmp_path / "vmas_navigation" / ".."]).runs) == 1


def test_runs_of_the_host_are_labelled_by_model_and_sharing(tmp_path):
    benchmarl_run(tmp_path / "0", settings=config(model="mlp", shared=True))
    benchmarl_run(tmp_path / "1", settings=config(model="mlp", shared=False))
    runs = read([tmp_path]).runs
    assert [run.label for run in runs] == ["ippo_mlp_shared", "ippo_mlp_unshared"]
    assert Path(str(runs[0].place)).parent == tmp_path / "0"
    assert runs[0].settings["model"]["num_cells"] == [64, 64]


def test_the_best_episode_of_the_host_is_not_an_absolute_metric(tmp_path):
    benchmarl_run(tmp_path / "0", returns=[[0.0, 100.0]])
    assert read([tmp_path]).runs[0].absolute_return is None


def test_without_hydra_the_label_is_that_of_the_file(tmp_path):
    benchmarl_run(tmp_path / "0", hydra=False)
    (run,) = read([tmp_path]).runs
    assert (run.label, run.settings) == ("ippo", {})


def test_a_label_that_says_more_than_the_algorithm_stays(tmp_path):
    folder = benchmarl_run(tmp_path / "0")
    (file,) = folder.glob("*/*.json")
    file.write_text(
        json.dumps(results("vmas/navigation", "ippo_nops", 0, [[1.0]])), encoding="utf-8"
    )
    assert read([tmp_path]).runs[0].label == "ippo_nops"


@pytest.mark.parametrize(
    ("model", "critic", "label"),
    [
        ({"name": "mlp"}, {"name": "mlp"}, "ippo_mlp_shared"),
        ({"name": "gru"}, {"name": "mlp"}, "ippo_gru_shared_critic_mlp"),
        ({"name": "hypermarl_mlp"}, {"name": "hypermarl_mlp"}, "ippo_hypermarl_mlp"),
        ({"name": "nops"}, {"name": "mlp"}, "ippo_nops_critic_mlp"),
        (
            {"layers": {"l1": {"name": "gnn"}, "l2": {"name": "mlp"}}},
            {"name": "mlp"},
            "ippo_gnn-mlp_shared_critic_mlp",
        ),
        ({"layers": {"l1": {"name": "nops"}}}, {"layers": {"l1": {"name": "nops"}}}, "ippo_nops"),
    ],
)
def test_labels_of_the_host(model, critic, label):
    assert benchmarl_label("ippo", {"model": model, "critic_model": critic}, {}) == label


def test_a_changed_copy_of_a_model_is_named_by_its_file():
    choices = {"model": "layers/hypermarl_wide", "model@critic_model": "layers/hypermarl_wide"}
    models = {"model": {"name": "hypermarl_mlp"}, "critic_model": {"name": "hypermarl_mlp"}}
    assert benchmarl_label("mappo", models, choices) == "mappo_hypermarl_wide"


def test_models_of_the_host_are_all_that_are_not_ours():
    assert set(model_config_registry) - set(ALL_MODELS) == BENCHMARL_MODELS


def test_other_json_is_passed_over(tmp_path):
    own_run(tmp_path)
    (tmp_path / "other.json").write_text('{"not": ["ours"]}', encoding="utf-8")
    (tmp_path / "list.json").write_text("[1, 2]", encoding="utf-8")
    assert read([tmp_path]).dropped == []


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"status": "running", "frames": 10, "max_frames": 90}, "'running' at 10 of 90 frames"),
        ({"status": "failed", "error": "Traceback\nKeyError: 1\n"}, r"'failed' .*: KeyError: 1"),
    ],
)
def test_unfinished_runs_are_dropped_by_name(tmp_path, record, reason):
    own_run(tmp_path, "nops")
    folder = own_run(tmp_path, "fups", **record)
    found = read([tmp_path])
    assert [run.label for run in found.runs] == ["ippo_nops"]
    (dropped,) = found.dropped
    assert Path(str(dropped.place)) == folder / "run.json"
    with pytest.raises(ValueError, match=f"status is {reason}"):
        read([folder])
    assert "status is" in dropped.reason


def test_broken_files_are_dropped_by_name_and_do_not_stop_the_others(tmp_path):
    own_run(tmp_path, "nops")
    broken = own_run(tmp_path, "fups")
    (file,) = broken.glob("*/*.json")
    file.write_text(file.read_text(encoding="utf-8")[:40], encoding="utf-8")
    half = tmp_path / "half.json"
    half.write_text('{"vmas": {"navi', encoding="utf-8")
    found = read([tmp_path])
    assert [run.label for run in found.runs] == ["ippo_nops"]
    assert {str(one.place) for one in found.dropped} == {str(broken / "run.json"), str(half)}
    assert all("is not JSON, maybe half-written" in one.reason for one in found.dropped)


def test_other_reasons_to_drop_a_file(tmp_path):
    own_run(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_text('{"status": "done"}', encoding="utf-8")
    nothing = own_run(tmp_path / "c", "nothing")
    (file,) = nothing.glob("*/*.json")
    file.write_text(json.dumps(results("vmas/navigation", "x", 0, [])), encoding="utf-8")
    absent = own_run(tmp_path / "d", "absent")
    (file,) = absent.glob("*/*.json")
    file.unlink()
    (tmp_path / "h.json").write_text(
        '{"vmas": {"x": {"ippo": {"seed_0": {"step_1": 3}}}}}', encoding="utf-8"
    )
    own_run(tmp_path / "e", "nan", returns=[[float("nan")]])
    (tmp_path / "f.json").write_text(
        '{"vmas": {"x": {"ippo": {"seed_0": {"step_1": {}}}}}}', encoding="utf-8"
    )
    yaml_broken = own_run(tmp_path / "g", "yaml")
    (yaml_broken / "config.yaml").write_text("a: [1", encoding="utf-8")
    found = read([tmp_path])
    assert len(found.runs) == 1
    texts = [
        "step_1 has no step_count",
        "x with seed 0: step_1 has no step_count",
        r"run.json lacks \['label'\]",
        "has no evaluation",
        "must be one results file, found: none",
        r"evaluation at 100 frames has return \[nan\], need one finite value",
        "flow sequence",
    ]
    for one, text in zip(found.dropped, texts, strict=True):
        assert re.search(text, one.reason)


def test_nothing_to_report_is_an_error_that_says_where(tmp_path):
    with pytest.raises(ValueError, match=f"no runs in {tmp_path}; give a folder"):
        read([tmp_path])
    with pytest.raises(ValueError, match="nowhere is not a folder; give"):
        read([tmp_path / "nowhere"])
    for i in range(12):
        (tmp_path / f"{i}.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"no finished runs .*/0.json: .*and 2 more"):
        read([tmp_path])


def test_two_runs_with_one_label_are_both_left_out_and_both_named(tmp_path):
    a, b = own_run(tmp_path / "a"), own_run(tmp_path / "b")
    with pytest.raises(ValueError, match="two runs of task vmas/navigation") as error:
        read([tmp_path / "a", tmp_path / "b"])
    for text in (str(a), str(b), "ippo_nops", "seed 0", "another label", "only one of the folders"):
        assert text in str(error.value)
    own_run(tmp_path / "c", seed=1)
    found = read([tmp_path])
    assert [run.seed for run in found.runs] == ["1"]
    assert found.dropped[0].reason.startswith("two runs of task vmas/navigation")


def test_a_failed_run_is_no_twin(tmp_path):
    own_run(tmp_path / "a", status="failed")
    own_run(tmp_path / "b")
    assert len(read([tmp_path]).runs) == 1


def test_seeds_are_ordered_as_numbers(tmp_path):
    for seed in (10, 9, 0):
        own_run(tmp_path, seed=seed)
    assert [run.seed for run in read([tmp_path]).runs] == ["0", "9", "10"]


def test_links_are_not_followed_and_folders_that_cannot_be_read_are_named(tmp_path):
    own_run(tmp_path / "runs")
    linked = own_run(tmp_path / "elsewhere", seed=1)
    (tmp_path / "runs" / "link").symlink_to(linked)
    (tmp_path / "runs" / "other_link").symlink_to(tmp_path)
    deep = tmp_path / "runs" / Path(*["x"] * 60)
    deep.mkdir(parents=True)
    found = read([tmp_path / "runs"])
    assert [run.seed for run in found.runs] == ["0"]
    link, folders = found.dropped
    assert str(link.place) == str(tmp_path / "runs" / "link")
    assert link.reason == "it is a link, which a report does not follow; give its run"
    assert folders.reason == "it lies in more than 50 folders; give it alone"


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    own_run(tmp_path)
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # since root may read everything
    (dropped,) = read([tmp_path]).dropped
    assert (dropped.place.inside, dropped.reason) == ("closed", "Permission denied")


def test_one_bad_run_of_a_merged_file_is_left_out_alone(tmp_path):
    content = results("vmas/navigation", "x", 0, [[1.0]])
    content["vmas"]["navigation"]["x"]["seed_1"] = {"step_0": {"step_count": 3, "return": [None]}}
    (tmp_path / "merged.json").write_text(json.dumps(content), encoding="utf-8")
    found = read([tmp_path])
    assert [run.seed for run in found.runs] == ["0"]
    assert found.dropped[0].reason.startswith("x on vmas/navigation with seed 1: evaluation at 3")
