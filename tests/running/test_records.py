import json
import os

import pytest
from support.planned_runs import run_in

from benchmarl_hyper.running.records import (
    FolderError,
    is_locked,
    left_to_tell,
    read_plan,
    read_record,
    records,
    state,
    write_plan,
)
from benchmarl_hyper.running.run_folder import RunFolder


def test_a_folder_without_a_run_has_no_record(tmp_path):
    assert read_record(tmp_path) == {}
    assert records(tmp_path) == {}


@pytest.mark.parametrize(
    "content",
    ['{"half', "[]", "3", "{}", '{"status": "??"}', '{"my": "own"}', "\x00", "[" * 100_000],
)
def test_what_is_no_record_is_named_and_costs_no_other(tmp_path, content):
    good = run_in(tmp_path, "nops", 0, status="done")
    bad = run_in(tmp_path, "nops", 1, status="done")
    (bad / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(FolderError, match=r"seed_1/run.json .*remove the folder"):
        read_record(bad)
    found = records(tmp_path)
    assert found[good]["status"] == "done"
    assert found[bad]["status"] == "unreadable"
    assert "run.json" in found[bad]["error"]


def test_bytes_that_are_no_text_are_no_record(tmp_path):
    (tmp_path / "run.json").write_bytes(b"\xff\xfe\x00")
    assert records(tmp_path)[tmp_path]["status"] == "unreadable"


def test_the_state_is_that_of_the_lock_and_nothing_is_written(tmp_path):
    path = run_in(tmp_path, "nops", 0)
    record = read_record(path)

    def times():
        return {file: file.stat().st_mtime_ns for file in path.iterdir()}

    before = times()
    assert state(path, record) == "interrupted"
    assert times() == before
    with RunFolder(path).locked():
        before = times()  # newer versions of filelock write when they lock
        assert is_locked(path)
        assert state(path, record) == "running"
        assert times() == before
    assert not is_locked(path)
    (path / ".lock").unlink()
    assert state(path, record) == "interrupted"
    assert state(path, {"status": "done"}) == "done"


def test_a_reader_does_not_keep_a_worker_out(tmp_path):
    path = run_in(tmp_path, "nops", 0)
    is_locked(path)
    with RunFolder(path).locked(timeout=0) as free:
        assert free


def test_a_plan_names_folders_and_moves_with_them(tmp_path):
    write_plan(tmp_path / "sweep", [tmp_path / "sweep" / "a" / "seed_0", tmp_path / "other"])
    assert json.loads((tmp_path / "sweep" / "plan.json").read_text(encoding="utf-8")) == [
        "../other",
        "a/seed_0",
    ]
    (tmp_path / "sweep").rename(tmp_path / "moved")
    assert read_plan(tmp_path / "moved") == {
        tmp_path / "moved" / "a" / "seed_0",
        tmp_path / "other",
    }


def test_of_a_sweep_one_process_tells_what_is_left(tmp_path):
    assert left_to_tell(tmp_path) == 0  # there is no plan
    planned = [
        run_in(tmp_path, "nops", seed, status="done" if seed else "failed") for seed in (0, 1)
    ]
    for _ in range(2):  # a sweep, and the same command again
        write_plan(tmp_path, [*planned, tmp_path / "vmas_balance" / "ippo_fups" / "seed_0"])
        assert [left_to_tell(tmp_path) for _ in range(3)] == [2, 0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.json", "vmas_balance"]


@pytest.mark.parametrize("content", ["", "{", "{}", '[["seed=0", "task=x"]]', "7"])
def test_other_plans_are_none(tmp_path, content):
    (tmp_path / "plan.json").write_text(content, encoding="utf-8")
    assert read_plan(tmp_path) == set()


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
