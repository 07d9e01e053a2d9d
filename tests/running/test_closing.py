"""A run leaves nothing open and nothing in memory, however it ends."""

import gc
import os
import weakref
from types import SimpleNamespace

import pytest
import torch
from benchmarl.experiment import Callback
from support.experiments import TASKS, experiment

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


def opened():
    """Names of the open files, in which standard streams and devices come and go with pytest."""
    names = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    found = (os.readlink(name) for name in names if os.path.exists(name))
    return sorted(name for name in found if name.startswith("/") and "/tmp" in name)


needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux shows them"
)


@needs_proc
def test_runs_leave_no_file_open_and_no_experiment_in_memory(tmp_path):
    """Without the help of the garbage collector, which could come late."""
    before, experiments = opened(), []

    def build(*arguments):
        experiments.append(weakref.ref(run := built(*arguments)))
        return run

    gc.disable()
    try:
        for number in range(4):
            perform(tmp_path / str(number), LABELS, {}, build)
            assert opened() == before
    finally:
        gc.enable()
    gc.collect()
    assert [run() for run in experiments] == [None] * 4


class Ending(Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_end(self, training_td, group):
        raise self.error


@needs_proc
@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt()])
def test_nothing_stays_open_where_a_run_is_stopped(tmp_path, error):
    before = opened()
    run = built(tmp_path, callbacks=[Ending(error)])
    assert opened() != before
    with pytest.raises(type(error)):
        run.run()
    assert opened() == before
    assert run.test_env.is_closed


@needs_proc
def test_nothing_stays_open_where_an_experiment_cannot_be_built(tmp_path, monkeypatch):
    before, environments = opened(), []
    collector = ResumableExperiment._setup_collector

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
    assert opened() == before
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
