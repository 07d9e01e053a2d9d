import os
import pickle

import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from support.extras import needs
from support.planned_runs import run_in, sweep

from benchmarl_hyper.running.records import read_plan
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.running.sweep import SHOWN, SweepCallback

FOUR = ("seed=0,1", "variant=fups,nops")


def begun(folder, *overrides):
    """A sweep that has been planned: its callback and its configuration."""
    callback = SweepCallback()
    with sweep(folder, *overrides) as config:
        callback.on_multirun_start(config)
    return callback, config


def done(callback, path):
    (job,) = (job for job in callback.jobs if job.path == path)
    run_in(
        path.parents[2],
        path.parts[-2].removeprefix("ippo_"),
        path.name[5:],
        job.settings,
        status="done",
    )


def end(callback, config):
    with pytest.raises(SystemExit) as ending:
        callback.on_multirun_end(config)
    return str(ending.value)


def test_the_plan_is_written_when_all_jobs_have_been_composed(tmp_path):
    begun(tmp_path / "new", *FOUR)
    assert len(read_plan(tmp_path / "new")) == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["variant=nops,nosp"], "variant/nosp"),
        (["experiment.lr=0.1,0.2"], "share the folder"),
        (["label=../x"], "cannot name a folder"),
        (["seed=0,1", "label=''"], "cannot name a folder"),
    ],
)
def test_a_sweep_that_cannot_work_ends_before_it_begins_and_keeps_the_old_plan(
    tmp_path, overrides, message
):
    begun(tmp_path, *FOUR)
    before = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(SystemExit, match=message):
        begun(tmp_path, *overrides)
    assert (tmp_path / "plan.json").read_bytes() == before


def test_the_end_says_what_is_missing_and_why(tmp_path):
    callback, config = begun(tmp_path, *FOUR, "seed=0,1,2")
    fups, nops = (
        [tmp_path / "vmas_balance" / f"ippo_{variant}" / f"seed_{seed}" for seed in range(3)]
        for variant in ("fups", "nops")
    )
    done(callback, fups[0])
    run_in(tmp_path, "fups", 1, status="failed", error="Traceback\n  x\nValueError: no\n")
    run_in(tmp_path, "fups", 2, status="done", settings={"seed": 7})
    run_in(tmp_path, "nops", 0, frames=50)
    run_in(tmp_path, "nops", 1)
    (nops[2]).mkdir(parents=True)
    (nops[2] / "run.json").write_text("{", encoding="utf-8")
    run_in(tmp_path, "fups", 7, status="failed", error="not of this sweep")
    with RunFolder(nops[1]).locked():
        first, *lines = end(callback, config).splitlines()
    assert first == "5 of 6 runs are not done:"
    reasons = dict(line.strip().split(": ", 1) for line in lines)
    assert reasons[str(fups[1])] == "ValueError: no"
    assert "other settings" in reasons[str(fups[2])]
    assert reasons[str(nops[0])] == "interrupted at 50 of 100 frames"
    assert reasons[str(nops[1])] == "another process is working on it"
    assert "cannot be read" in reasons[str(nops[2])]


def test_a_job_that_could_record_nothing_is_missing(tmp_path):
    callback, config = begun(tmp_path, "variant=nops")
    assert "nothing was recorded; its error is above" in end(callback, config)


def test_a_sweep_that_is_whole_ends_well_whatever_else_lies_there(tmp_path):
    callback, config = begun(tmp_path, *FOUR)
    for job in callback.jobs:
        done(callback, job.path)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "run.json").write_text("{", encoding="utf-8")
    callback.on_multirun_end(config)


def test_only_the_first_of_many_are_listed(tmp_path):
    callback, config = begun(tmp_path, "variant=nops", "seed=range(100)")
    lines = end(callback, config).splitlines()
    assert lines[0] == "100 of 100 runs are not done:"
    assert len(lines) == SHOWN + 2
    assert lines[-1] == f"  and {100 - SHOWN} more"


def test_with_another_sweeper_every_run_of_the_folder_counts(tmp_path):
    callback, config = begun(tmp_path, "hydra.sweeper._target_=my.Sweeper")
    run_in(tmp_path, "fups", 0, status="done")
    callback.on_multirun_end(config)
    run_in(tmp_path, "fups", 1, status="failed", error="ValueError: no")
    assert "1 of 2 runs are not done" in end(callback, config)


def test_what_a_job_returns_has_no_settings():
    settings = OmegaConf.create({"api_key": "abc"})
    returned = JobReturn(
        ["a.api_key=abc", "seed=0"], settings, settings, status=JobStatus.COMPLETED
    )
    SweepCallback().on_job_end(settings, returned)
    assert b"abc" not in pickle.dumps(returned)
    assert returned.overrides == ["a.api_key=<redacted>", "seed=0"]


@needs("slurm")
def test_settings_that_were_handed_to_ended_jobs_are_removed(tmp_path):
    callback, config = begun(tmp_path, "variant=nops", "hydra/launcher=slurm")
    for job, *names in [("7", "submitted", "0_result"), ("8", "submitted"), ("9_1", "0_result")]:
        (tmp_path / ".submitit" / job).mkdir(parents=True)
        for name in names:
            (tmp_path / ".submitit" / job / f"{job}_{name}.pkl").touch()
    end(callback, config)
    left = {file.name for file in (tmp_path / ".submitit").rglob("*.pkl")}
    assert left == {"7_0_result.pkl", "8_submitted.pkl", "9_1_0_result.pkl"}


def test_a_sweep_with_missing_runs_is_reported_all_the_same(tmp_path, capsys):
    with sweep(tmp_path, "variant=nops") as config:
        callbacks = Callbacks(config)
        callbacks.on_multirun_start(config=config)
        with pytest.raises(SystemExit, match="1 of 1 runs are not done"):
            callbacks.on_multirun_end(config=config)
    assert "No report: ValueError: no runs in" in capsys.readouterr().out


def test_errors_of_the_machine_end_the_sweep_too(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SystemExit, match="No space left"):
        begun(tmp_path, *FOUR)
