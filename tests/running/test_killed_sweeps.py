"""A whole sweep, and one of two jobs at a time that is killed at a random moment and resumed."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from support.extras import needs
from support.forks import output_of, started
from support.sweeps import AT_ONCE, SWEEP, finished

from benchmarl_hyper.running.records import read_record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def one_after_the_other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequential")
    assert "Report: runs/quickstart/report/report.html" in output_of(*SWEEP, cwd=folder)
    return finished(folder)


def test_folders_have_names_that_say_what_is_in_them(one_after_the_other):
    assert set(one_after_the_other) == {
        f"runs/quickstart/vmas_navigation/ippo_{variant}/seed_{seed}"
        for variant in ("fups_id", "hypermarl_mlp")
        for seed in (0, 1)
    }


def wait_for(condition, process):
    for _ in range(6000):
        if condition():
            return
        assert process.is_alive(), "it ended before it could be killed"
        time.sleep(0.02)
    raise TimeoutError


def kill_at_a_random_moment(folder):
    """After something was saved, within the time that it takes to save more."""

    def saved():
        found = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
        return {file for file in found if file.match("checkpoint_*.pt")}

    process = started(*SWEEP, *AT_ONCE, cwd=folder, output=folder / "log")
    try:
        wait_for(saved, process)
        time.sleep(random.uniform(0, 1))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()


@needs("joblib")
def test_two_at_once_killed_and_started_again_measure_the_same(one_after_the_other, tmp_path):
    kill_at_a_random_moment(tmp_path)
    shown = output_of("-m", "benchmarl_hyper.status", "runs/quickstart", cwd=tmp_path)
    assert "the same command again does the rest" in shown
    output_of(*SWEEP, *AT_ONCE, cwd=tmp_path)
    assert finished(tmp_path) == one_after_the_other
    attempts = [read_record(path.parent)["attempts"] for path in tmp_path.rglob("run.json")]
    assert max(attempts) > 1
    shown = output_of("-m", "benchmarl_hyper.status", "runs/quickstart", cwd=tmp_path)
    assert "4 runs: 4 done" in shown
