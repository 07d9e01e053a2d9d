"""Settings that differ, and warnings."""

import pytest
from support.recorded_runs import benchmarl_run, config, own_run

from benchmarl_hyper.report.comparability import common, differences, warnings
from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.statistics.scores import grouped


def warned(folder):
    runs = read([folder]).runs
    return "\n".join(warnings(grouped(runs), differences(runs)))


def pair(base, a=None, b=None, **record):
    for seed in range(3):
        own_run(base, "nops", seed, settings=config(seed, model="nops", **(a or {})))
        own_run(base, "mlp", seed, settings=config(seed, model="mlp", **(b or {})), **record)


def test_a_fair_comparison_is_not_flagged(tmp_path):
    pair(tmp_path, b={"hypernet_cells": [8]})
    assert warned(tmp_path) == ""
    keys = {difference.key for difference in differences(read([tmp_path]).runs)}
    assert keys == {
        "model.name",
        "critic_model.name",
        "model.hypernet_cells",
        "critic_model.hypernet_cells",
    }


@pytest.mark.parametrize("third", ["b", "c"])
def test_keys_that_not_all_models_have_are_theirs(third, tmp_path):
    """Two models may set such a key to values of their own; two labels of one model may not."""
    pair(tmp_path, b={"embedding_dim": 4})
    for seed in range(3):
        settings = config(seed, model="mlp" if third == "b" else "c", embedding_dim=16)
        own_run(tmp_path, "third", seed, settings=settings)
    expected = "Labels differ in model.embedding_dim (vmas/navigation), which" * (third == "b")
    assert expected in warned(tmp_path)
    assert bool(warned(tmp_path)) == (third == "b")


@pytest.mark.parametrize(("key", "value"), [("lr", 0.5), ("num_cells", (8,))])
def test_other_settings_of_labels_are_flagged(tmp_path, key, value):
    pair(tmp_path, b={key: value})
    section = "experiment" if key == "lr" else "model"
    assert f"Labels differ in {section}.{key} (vmas/navigation), which their" in warned(tmp_path)


def test_settings_that_differ_within_a_label_are_flagged(tmp_path):
    own_run(tmp_path, seed=0)
    own_run(tmp_path, seed=1, settings=config(1, lr=9.0))
    assert (
        "Runs with the same label differ in experiment.lr (vmas/navigation): 0.001 in ippo_nops; "
        "9.0 in" in warned(tmp_path)
    )


def test_a_difference_of_two_tasks_is_told_once(tmp_path):
    for task in ("a/x", "a/y"):
        own_run(tmp_path, "nops", task=task)
        own_run(tmp_path, "fups", task=task, settings=config(lr=2.0, model="fups"))
    assert "in experiment.lr (a/x, a/y)" in warned(tmp_path)


def test_sharing_is_in_the_labels_of_the_host(tmp_path):
    for seed in range(3):
        benchmarl_run(tmp_path / f"a{seed}", seed, settings=config(seed, model="mlp", shared=True))
        benchmarl_run(tmp_path / f"b{seed}", seed, settings=config(seed, model="mlp", shared=False))
    assert warned(tmp_path) == ""


def test_common_settings_are_those_of_all_runs(tmp_path):
    pair(tmp_path, b={"lr": 9.0})
    settings = common(read([tmp_path]).runs)
    assert settings["task.n_agents"] == "2"
    assert "experiment.lr" not in settings
    assert "experiment.loggers" not in settings


def test_common_settings_of_unknown_ones_are_none():
    assert common([]) == {}


def test_final_frames_and_evaluations_that_differ(tmp_path):
    own_run(tmp_path, "nops", returns=[[1.0]] * 4, every=100)
    own_run(tmp_path, "fups", returns=[[1.0]] * 3, every=200)
    text = warned(tmp_path)
    assert "from different numbers of frames: 400 in ippo_nops; 600 in ippo_fups." in text
    assert "only the evaluation points that all runs have (2 of 5, 3 dropped)." in text


def test_missing_and_few_seeds(tmp_path):
    for seed in range(3):
        own_run(tmp_path, "nops", seed)
    own_run(tmp_path, "fups", 1)
    text = warned(tmp_path)
    assert "different seeds: ippo_fups lacks 0, 2." in text
    assert "because there are fewer than 3 seeds: ippo_fups on vmas/navigation (1)." in text


def test_episodes_versions_and_unknown_settings(tmp_path):
    own_run(tmp_path, "nops", returns=[[1.0]], versions={"torch": "1"})
    own_run(tmp_path, "fups", returns=[[1.0, 2.0]], versions={"torch": "2"})
    benchmarl_run(tmp_path / "h", hydra=False)
    text = warned(tmp_path)
    assert "different numbers of episodes: 1 in ippo_nops; 2 in ippo, ippo_fups." in text
    assert "different versions of torch: 2 in 1 run, 1 in 1 run." in text
    assert "The settings of 1 run are unknown (ippo)" in text
