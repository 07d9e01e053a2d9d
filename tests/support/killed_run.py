"""Runs that are killed again and again: ``python killed_run.py KIND FOLDER KILLS``.

Processes are forked, so that each starts at once. This needs a parent without threads of its own,
which a test process does not stay: JAX and others start some when they are imported.
"""

import multiprocessing
import os
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path

import torch
from support.experiments import experiment
from support.processes import python
from support.seed_runs import build, jobs

from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.one_run import perform
from benchmarl_hyper.running.records import read_record
from benchmarl_hyper.running.seeds_at_once.runs import perform_together

LABELS = {"task": "vmas/navigation", "label": "ippo_nops", "seed": 0, "overrides": []}


def kills(kind, folder, most):
    """Train once in ``folder / "whole"`` and, killed, in ``folder / "killed"``; how often it was.

    Args:
        kind: a key of ``KINDS``.
        folder: an empty one.
        most: no more kills than these; fewer if it was done before.
    """
    tests = str(Path(__file__).parents[1])
    output = python(__file__, kind, folder, most, cwd=folder, PYTHONPATH=tests)
    return int(output.splitlines()[-1])


def alone(folder):
    perform(folder / "seed_0", LABELS, {"experiment": {"lr": 0.01}}, build_alone)


def build_alone(path, checkpoint, callbacks):
    return experiment(
        path,
        "nops",
        kind=ResumableExperiment,
        callbacks=[*callbacks, *callbacks_named("all")],
        restore_file=checkpoint and str(checkpoint),
        max_n_iters=20,
        checkpoint_interval=16,
        evaluation_interval=16,
    )


def at_once(folder):
    perform_together(jobs(folder), partial(build, max_n_iters=12))


KINDS = {"alone": alone, "at_once": at_once}


def started(kind, folder):
    process = multiprocessing.get_context("fork").Process(target=KINDS[kind], args=(folder,))
    process.start()
    return process


def is_done(folder):
    statuses = {read_record(file.parent).get("status") for file in folder.rglob("run.json")}
    return statuses == {"done"}


def kill_until_done(kind, folder, most, seconds):
    """Kill at random moments, most of them late enough to see progress; return the number."""
    moments, n_killed = random.Random(), 0
    while not is_done(folder):
        process = started(kind, folder)
        process.join(moments.uniform(0, min(0.6, 4 / most) * seconds) if n_killed < most else None)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            n_killed += 1
        elif process.exitcode:
            sys.exit("a process failed")
    return n_killed


if __name__ == "__main__":
    kind, folder, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    began = time.monotonic()
    started(kind, folder / "whole").join()
    print(kill_until_done(kind, folder / "killed", most, time.monotonic() - began))
