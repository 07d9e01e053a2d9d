"""A sweep of two jobs at a time, killed at random moments and started again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.extras import needs
from support.processes import python
from support.sweeps import AT_ONCE, SWEEP, finished

pytestmark = pytest.mark.slow


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


@needs("joblib")
def test_killed_twice_and_started_again_it_measures_the_same(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
    python(*SWEEP, *AT_ONCE, cwd=whole)
    moments = random.Random()
    for _ in range(2):
        kill_at_a_random_moment(killed, moments)
    shown = python("-m", "benchmarl_hyper.status", "runs/quickstart", cwd=killed)
    assert "the same command again does the rest" in shown
    python(*SWEEP, *AT_ONCE, cwd=killed)
    assert finished(killed) == finished(whole)
    attempts = [
        json.loads(r.read_text(encoding="utf-8"))["attempts"] for r in killed.rglob("run.json")
    ]
    assert max(attempts) > 1
    shown = python("-m", "benchmarl_hyper.status", "runs/quickstart", cwd=killed)
    assert "4 runs: 4 done" in shown
