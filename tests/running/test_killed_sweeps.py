"""Whole sweeps in processes of their own: one after the other, at once, and killed."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.processes import python

pytestmark = pytest.mark.slow

SMALL = [
    "+suite=quickstart",
    "variant=fups_id,hypermarl_mlp",
    "seed=0,1",
    "callbacks=all",
    "experiment.max_n_frames=4800",
    "experiment.on_policy_collected_frames_per_batch=600",
    "experiment.on_policy_n_envs_per_worker=12",
    "experiment.on_policy_minibatch_size=300",
    "experiment.evaluation_interval=1200",
    "experiment.evaluation_episodes=4",
]
SWEEP = ["-m", "benchmarl_hyper.run", "-m", *SMALL]
SHORT = [*SWEEP, "seed=0", "variant=nops", "callbacks=[]", "experiment.max_n_frames=1200"]
AT_ONCE = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


def finished(folder):
    """All that runs have measured, but for times; the folders of runs are its keys."""
    content = {}
    for record in folder.rglob("run.json"):
        run = record.parent
        assert json.loads(record.read_text(encoding="utf-8"))["status"] == "done"
        (results,) = (file for file in run.glob("*/*.json") if file.stem == file.parent.name)
        lines = (results.parent / "diagnostics.jsonl").read_text(encoding="utf-8").splitlines()
        scalars = {
            file.name: list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
            for file in run.glob("*/*/scalars/*.csv")
            if not file.name.startswith("timers_")
        }
        measured = (json.loads(results.read_text(encoding="utf-8")), lines, scalars)
        content[str(run.relative_to(folder))] = measured
    return content


@pytest.fixture(scope="module")
def one_after_the_other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequential")
    output = python(*SWEEP, cwd=folder)
    assert "Report: runs/quickstart/report/report.html" in output
    return finished(folder)


def test_folders_have_names_that_say_what_is_in_them(one_after_the_other):
    assert set(one_after_the_other) == {
        f"runs/quickstart/vmas_navigation/ippo_{variant}/seed_{seed}"
        for variant in ("fups_id", "hypermarl_mlp")
        for seed in (0, 1)
    }


def test_two_at_once_measure_the_same(one_after_the_other, tmp_path):
    python(*SWEEP, *AT_ONCE, cwd=tmp_path)
    assert finished(tmp_path) == one_after_the_other


def wait_for(condition, process):
    for _ in range(6000):
        if condition():
            return
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    raise TimeoutError


def kill_at_a_random_moment(folder, moments):
    """After something new was saved, within the time that it takes to save more."""

    def saved():
        found = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
        return {file for file in found if file.match("checkpoint_*.pt")}

    before = saved()
    command = [sys.executable, *SWEEP, *AT_ONCE]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        wait_for(lambda: saved() - before, process)
        time.sleep(moments.uniform(0, 1.5))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_killed_twice_and_started_again_it_measures_the_same(one_after_the_other, tmp_path):
    moments = random.Random()
    for _ in range(2):
        kill_at_a_random_moment(tmp_path, moments)
    shown = python("-m", "benchmarl_hyper.status", "runs/quickstart", cwd=tmp_path)
    assert "the same command again does the rest" in shown
    python(*SWEEP, *AT_ONCE, cwd=tmp_path)
    assert finished(tmp_path) == one_after_the_other
    attempts = [
        json.loads(r.read_text(encoding="utf-8"))["attempts"] for r in tmp_path.rglob("run.json")
    ]
    assert max(attempts) > 1
    shown = python("-m", "benchmarl_hyper.status", "runs/quickstart", cwd=tmp_path)
    assert "4 runs: 4 done" in shown


def test_others_go_on_when_one_fails(tmp_path):
    """A target network without hidden layers is an error of `num_cells`."""
    choices = ["model.num_cells=[4],[0]", "label=${model.num_cells}"]
    output = python(*SHORT, *choices, cwd=tmp_path, check=False)
    assert "1 of 2 runs failed:" in output.splitlines()[-2]
    assert "num_cells must be positive whole numbers, got [0]" in output.splitlines()[-1]
    states = [
        json.loads(record.read_text(encoding="utf-8"))["status"]
        for record in tmp_path.rglob("run.json")
    ]
    assert sorted(states) == ["done", "failed"]


def test_a_sweep_over_settings_without_labels_is_refused_but_for_the_first(tmp_path):
    output = python(*SHORT, "experiment.lr=0.001,0.002", cwd=tmp_path, check=False)
    assert "other settings (experiment.lr: 0.001 there, 0.002 now)" in output
    assert "label=" in output
    (record,) = tmp_path.rglob("run.json")
    assert json.loads(record.read_text(encoding="utf-8"))["status"] == "done"
