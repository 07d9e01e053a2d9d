"""One run, killed twenty times at random moments, in processes that are forked to start at once."""

import multiprocessing
import os
import random
import signal
import time

import pytest
import torch
from support.experiments import experiment
from support.sweeps import measured

from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.one_run import perform
from benchmarl_hyper.running.records import read_record

pytestmark = pytest.mark.slow

LABELS = {"task": "vmas/navigation", "label": "ippo_nops", "seed": 0, "overrides": []}
KILLS = 20


def build(path, checkpoint, callbacks):
    return experiment(
        path,
        "nops",
        kind=ResumableExperiment,
        callbacks=[*callbacks, *callbacks_named("all")],
        restore_file=checkpoint and str(checkpoint),
        max_n_iters=40,
        checkpoint_interval=16,
        evaluation_interval=16,
    )


def run(path):
    torch.set_num_threads(1)
    perform(path, LABELS, {"experiment": {"lr": 0.01}}, build)


def test_killed_twenty_times_a_run_measures_the_same(tmp_path):
    forked = multiprocessing.get_context("fork")
    whole = forked.Process(target=run, args=(tmp_path / "whole",))
    began = time.monotonic()
    whole.start()
    whole.join()
    seconds = time.monotonic() - began
    moments, kills = random.Random(), 0
    while read_record(tmp_path / "killed").get("status") != "done":
        process = forked.Process(target=run, args=(tmp_path / "killed",))
        process.start()
        # Short enough for all kills to come before the end, long enough for most to see progress
        process.join(moments.uniform(0, 4 * seconds / KILLS) if kills < KILLS else None)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
        else:
            assert process.exitcode == 0
    assert measured(tmp_path / "killed") == measured(tmp_path / "whole")
    assert kills >= KILLS / 2
    assert read_record(tmp_path / "killed")["attempts"] > 2
