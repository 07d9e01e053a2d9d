"""A run that is killed again and again: ``python killed_run.py FOLDER KILLS`` prints the number.

Processes are forked, so that each starts at once. This needs a parent without threads of its own.
"""

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from support.experiments import experiment

from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.one_run import perform
from benchmarl_hyper.running.records import read_record

LABELS = {"task": "vmas/navigation", "label": "ippo_nops", "seed": 0, "overrides": []}


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


def started(path):
    process = multiprocessing.get_context("fork").Process(target=run, args=(path,))
    process.start()
    return process


def kill_until_done(path, kills, seconds):
    """Kill at random moments, most of them late enough to see progress; return the number."""
    moments, n_killed = random.Random(), 0
    while read_record(path).get("status") != "done":
        process = started(path)
        process.join(moments.uniform(0, 4 * seconds / kills) if n_killed < kills else None)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            n_killed += 1
        elif process.exitcode:
            sys.exit("a process failed")
    return n_killed


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    began = time.monotonic()
    started(folder / "whole").join()
    print(kill_until_done(folder / "killed", int(sys.argv[2]), time.monotonic() - began))
