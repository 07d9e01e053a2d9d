"""A run leaves nothing open and nothing in memory, however it ends."""

import gc
import os
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from benchmarl.experiment import Callback
from support.experiments import TASKS, experiment

from benchmarl_hyper.benchmark import load_variant
from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.registry import method_callbacks
from benchmarl_hyper.running import absolute_metric
from benchmarl_hyper.running.closing import close_loggers
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.one_run import perform

LABELS = {"task": "tiny/place", "label": "ippo_nops", "seed": 0, "overrides": []}


def built(path, checkpoint=None, callbacks=(), **changes):
    return experiment(
        path,
        "nops",
        task=TASKS["global_state"],
        kind=ResumableExperiment,
        callbacks=callbacks,
        restore_file=checkpoint and str(checkpoint),
        **{"checkpoint_interval": 8, "max_n_iters": 1, **changes},
    )


needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux shows them"
)


def descriptors():
    """What is open, by number; the descriptor that lists them is closed again."""
    links = (Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd"))
    return {link.name: os.readlink(link) for link in links if link.is_symlink()}


def opened(folder):
    """The open files in a folder."""
    return [name for name in descriptors().values() if name.startswith(str(folder))]


# Variant, algorithm, sizes and settings of runs that differ in what they open and keep: buffers in
# memory and on the disk, ensembles and targets, recurrent networks, a method with its callback.
WIDE = {"num_cells": [256, 256]}
KINDS = [
    ("nops", "ippo", WIDE, {}),
    ("hypermarl_mlp", "masac", {"num_cells": [64, 64]}, {"buffer_device": "disk"}),
    ("fups_id", "iql", WIDE, {}),
    ("hypermarl_gru", "ippo", {"hidden_size": 32}, {}),
    ("dico", "mappo", WIDE, {}),
]


def perform_kinds(folder, numbers):
    """Do a run for each number, of each kind in turn; returns weak references to the experiments.

    The garbage collector, which could come late, must not be needed to close files.
    """
    experiments = []

    def build(path, checkpoint, callbacks):
        name, algorithm, sizes, changes = KINDS[int(path.name) % len(KINDS)]
        variant = load_variant(name)
        run = experiment(
            path,
            replace(variant.model, **sizes),
            algorithm,
            TASKS["global_state"],
            critic_model=replace(variant.critic_model, **sizes),
            kind=ResumableExperiment,
            callbacks=[*callbacks, *callbacks_named("all"), *method_callbacks(variant.method)],
            **{"max_n_iters": 1, "checkpoint_interval": 8, **changes},
        )
        assert opened(folder)
        experiments.append(weakref.ref(run))
        return run

    for number in numbers:
        gc.disable()
        try:
            perform(folder / str(number), LABELS, {}, build)
            assert opened(folder) == []
        finally:
            gc.enable()
        gc.collect()
    return experiments


def resident():
    """Megabytes of this process in memory."""
    pages = Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def tensors():
    """The number of tensors that are alive, except those that ``gc.freeze`` has put aside."""
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


@needs_proc
def test_runs_leave_no_file_open_and_no_experiment_in_memory(tmp_path):
    experiments = perform_kinds(tmp_path, range(2))
    assert [run() for run in experiments] == [None] * 2


@needs_proc
@pytest.mark.slow
def test_twenty_five_runs_keep_no_more_than_five(tmp_path, monkeypatch):
    """The first run of each kind fills caches, such as the pipes of ``multiprocessing``.

    Losses hold 0.3 to 3.7 MB of parameters per run, so four runs of each kind would show.
    """
    monkeypatch.setattr(absolute_metric, "TIMES", 1)
    gc.freeze()  # or each collection would also look at all that is there already
    try:
        experiments = perform_kinds(tmp_path, range(5))
        files, n_tensors, size = descriptors(), tensors(), resident()
        experiments += perform_kinds(tmp_path, range(5, 25))
        assert descriptors() == files
        assert tensors() == n_tensors
        assert resident() < size + 5
    finally:
        gc.unfreeze()
    assert [run() for run in experiments] == [None] * 25


class Ending(Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_end(self, training_td, group):
        raise self.error


@needs_proc
@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt()])
def test_nothing_stays_open_where_a_run_is_stopped(tmp_path, error):
    run = built(tmp_path, callbacks=[Ending(error)])
    assert opened(tmp_path)
    with pytest.raises(type(error)):
        run.run()
    assert opened(tmp_path) == []
    assert run.test_env.is_closed


@needs_proc
def test_nothing_stays_open_where_an_experiment_cannot_be_built(tmp_path, monkeypatch):
    environments, collector = [], ResumableExperiment._setup_collector

    def remembered(self):
        collector(self)
        environments.extend([self.test_env, self.collector.env])

    monkeypatch.setattr(ResumableExperiment, "_setup_collector", remembered)
    torch.save({"state": {}}, tmp_path / "checkpoint_8.pt")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    file = (tmp_path / "checkpoint_8.pt").rename(
        tmp_path / "run" / "checkpoints" / "checkpoint_8.pt"
    )
    with pytest.raises(ValueError, match=r"checkpoint_8.pt does not fit this run \(KeyError.*"):
        built(tmp_path, file)
    assert opened(tmp_path) == []
    assert len(environments) == 2
    assert all(env.is_closed for env in environments)


def test_a_logger_that_logs_again_appends(tmp_path):
    run = built(tmp_path, checkpoint_interval=0)
    run.run()
    (file,) = run.folder_name.glob("*/scalars/counters_iter.csv")
    before = file.read_text(encoding="utf-8")
    run.logger.log({"counters/iter": 7}, step=7)
    close_loggers(run)
    assert file.read_text(encoding="utf-8") == f"{before}7,7.0\n"


def test_writers_are_closed_by_their_own_method():
    closed = []
    writer = SimpleNamespace(close=lambda: closed.append(True))
    loggers = [SimpleNamespace(experiment=writer), SimpleNamespace(experiment=SimpleNamespace())]
    close_loggers(SimpleNamespace(logger=SimpleNamespace(loggers=loggers)))
    assert closed == [True]
