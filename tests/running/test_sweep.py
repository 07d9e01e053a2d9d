import json
import os

import pytest
from omegaconf import OmegaConf

from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.running.sweep import SweepCallback, jobs, read_plan, records
from benchmarl_hyper.status import main, status


def sweep_config(folder, *task, **params):
    hydra = {
        "sweep": {"dir": str(folder)},
        "sweeper": {"params": params},
        "overrides": {"task": list(task)},
    }
    return OmegaConf.create({"hydra": hydra})


def run(folder, variant, seed, **facts):
    path = folder / "vmas_balance" / f"ippo_{variant}" / f"seed_{seed}"
    overrides = [f"variant={variant}", f"seed={seed}", "task=vmas/balance"]
    labels = {"task": "vmas/balance", "label": f"ippo_{variant}", "overrides": overrides}
    with RunFolder(path).locked():
        RunFolder(path).begin({}, {**labels, "frames": 0, "max_frames": 100})
        RunFolder(path).update(**facts)
    return path


def test_jobs_are_those_of_hydras_sweeper():
    planned = jobs(["seed=0,1", "variant=a,b", "task=x", "seed=range(2,4)", "+name='a b'"])
    assert len(planned) == 4
    assert planned[0] == sorted(["seed=2", "variant=a", "task=x", "+name='a b'"])


def test_the_plan_is_written(tmp_path):
    config = sweep_config(tmp_path / "new", "seed=0,1", "task=vmas/balance", variant="fups,nops")
    SweepCallback().on_multirun_start(config)
    assert ["seed=1", "task=vmas/balance", "variant=fups"] in read_plan(tmp_path / "new")
    assert len(read_plan(tmp_path / "new")) == 4


def test_interpolations_are_planned_as_typed(tmp_path):
    SweepCallback().on_multirun_start(sweep_config(tmp_path, "label=${hydra.sweep.dir}"))
    assert read_plan(tmp_path) == [["label=$\\{hydra.sweep.dir\\}"]]


def planned(folder):
    config = sweep_config(folder, "seed=0,1", "task=vmas/balance", variant="fups,nops")
    SweepCallback().on_multirun_start(config)
    return config


def test_the_end_says_how_many_failed_and_where(tmp_path):
    config = planned(tmp_path)
    run(tmp_path, "fups", 0, status="done")
    SweepCallback().on_multirun_end(config)
    path = run(tmp_path, "fups", 1, status="failed", error="Traceback\n  x\nValueError: no\n")
    run(tmp_path, "fups", 7, status="failed", error="not of this sweep")
    with pytest.raises(SystemExit) as failure:
        SweepCallback().on_multirun_end(config)
    assert str(failure.value) == f"1 of 4 runs failed:\n  {path}: ValueError: no"


def test_the_status_counts_and_estimates(tmp_path):
    planned(tmp_path)
    run(tmp_path, "fups", 0, status="done", frames=100, wall_time_s=600)
    path = run(tmp_path, "fups", 1, status="running", frames=50, wall_time_s=300)
    with RunFolder(path).locked():
        shown = status(tmp_path)
    lines = [line.split() for line in shown.splitlines()]
    assert ["vmas/balance", "ippo_fups", "1", "1", "75%"] in lines
    assert "4 runs: 1 done, 1 running, 2 left" in shown
    assert "about 25 min 0 s to go, 1 at a time" in shown


def test_the_status_before_anything_is_done(tmp_path):
    planned(tmp_path)
    path = run(tmp_path, "fups", 1, frames=25, wall_time_s=3600)
    with RunFolder(path).locked():
        assert "about 15 h 0 min to go" in status(tmp_path)


def test_the_status_names_what_needs_a_hand(tmp_path):
    planned(tmp_path)
    failed = run(tmp_path, "nops", 0, status="failed", error="Traceback\nValueError: no")
    interrupted = run(tmp_path, "nops", 1)
    shown = status(tmp_path)
    assert f"failed: {failed} ValueError: no" in shown
    assert f"interrupted: {interrupted}" in shown
    assert "1 interrupted, 1 failed, 2 left" in shown
    assert "no process is at work; running the same command again does the rest" in shown


def test_the_status_of_what_is_done_asks_for_nothing(tmp_path):
    run(tmp_path, "nops", 0, status="done", frames=100)
    assert status(tmp_path).splitlines()[-1] == "1 run: 1 done"


def test_the_status_of_an_empty_folder(tmp_path):
    with pytest.raises(SystemExit, match=f"no runs in {tmp_path}; give the folder of a sweep"):
        main([str(tmp_path)])


def test_the_status_is_read_while_records_are_written(tmp_path):
    path = run(tmp_path, "nops", 0, status="done")
    assert json.loads((path / "run.json").read_text(encoding="utf-8"))["status"] == "done"
    (path / ".run.json.part").write_text('{"half', encoding="utf-8")
    assert "1 done" in status(tmp_path)


def test_a_broken_record_is_named(tmp_path):
    config = planned(tmp_path)
    path = run(tmp_path, "nops", 0, status="done")
    (path / "run.json").write_text('{"half', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"seed_0/run.json is not JSON.*remove the folder"):
        main([str(tmp_path)])
    with pytest.raises(SystemExit, match=r"seed_0/run.json is not JSON"):
        SweepCallback().on_multirun_end(config)


def test_the_status_of_a_plan_that_has_not_begun(tmp_path):
    planned(tmp_path)
    assert "4 runs: 4 left" in status(tmp_path)


def test_folders_that_others_move_meanwhile_are_passed_over(tmp_path, monkeypatch):
    for name in ("moved", "stays"):
        folder = tmp_path / name / "seed_0"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"status": "done"}), encoding="utf-8")
    scandir = os.scandir

    def moving(path):
        if os.path.basename(path) == "moved":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", moving)
    assert records(tmp_path) == {tmp_path / "stays" / "seed_0": {"status": "done"}}
