"""Compact archives: what they keep, and what somebody else may have put into one."""

import json

import numpy as np
import pytest
from support.recorded_runs import config, own_run

from benchmarl_hyper.report.__main__ import main
from benchmarl_hyper.report.output.compact import write_compact
from benchmarl_hyper.report.reading.compact import COLUMNS
from benchmarl_hyper.report.reading.results import read

ENTRY = {"frames": 100, "group": "agents", "name": "snd"}


@pytest.fixture
def folder(tmp_path):
    """Three runs: two seeds with everything, and one with less."""
    base = tmp_path / "runs"
    for seed in range(2):
        own_run(
            base,
            seed=seed,
            absolute=[1.0, 2.5],
            extra={"won": [[0.0], [1.0]]},
            settings=config(seed, model="nops"),
            diagnostics=[
                {**ENTRY, "value": 0.1},
                {**ENTRY, "frames": 200, "value": None},
                {**ENTRY, "name": "distances", "matrix": [[0.0, seed], [seed, 0.0]]},
            ],
            wall_time_s=10.0 + seed,
        )
    own_run(base, "fups", seed=7, returns=[[3.0, 4.0, 4.0]], settings=config(7, model="fups"))
    return base


@pytest.fixture
def archive(folder, tmp_path):
    path = tmp_path / "games.npz"
    write_compact(read([folder]).runs, path)
    return path


def test_runs_are_read_as_they_were_but_for_single_episodes(folder, archive):
    runs, kept = read([folder]).runs, read([archive]).runs
    for run, same in zip(runs, kept, strict=True):
        assert (same.task, same.label, same.seed) == (run.task, run.label, run.seed)
        assert same.place.inside == run.place.inside
        for one, other in zip(run.evaluations, same.evaluations, strict=True):
            assert other.frames == one.frames
            assert other.metrics.keys() == one.metrics.keys()
            for name, values in one.metrics.items():
                assert other.metrics[name] == [pytest.approx(np.mean(values))] * len(values)
        assert same.absolute_return == run.absolute_return
        assert same.settings["model"] == run.settings["model"]
        for key in ("parameters", "versions", "commit", "wall_time_s"):
            assert same.record[key] == run.record[key]
        assert (same.recording is None) == (run.recording is None)
    assert kept[1].recording.scalars[("agents", "snd")] == {
        100: pytest.approx(0.1),
        200: pytest.approx(np.nan, nan_ok=True),
    }
    assert kept[2].recording.matrices[("agents", "distances")].tolist() == [[0, 1], [1, 0]]


def test_a_report_shows_the_same_of_both(folder, archive, tmp_path, capsys):
    for given in (folder, archive):
        main([str(given), "--out", str(tmp_path / given.stem)])
    tables = sorted((tmp_path / "runs" / "tables").glob("*.md"))
    assert tables
    for table in tables:
        other = tmp_path / "games" / "tables" / table.name
        text = other.read_text(encoding="utf-8").replace("games.npz", "runs")
        assert text == table.read_text(encoding="utf-8")
    first, second = capsys.readouterr().out.split("Report:")[:2]
    assert second.partition("\n")[2] == first


def test_nothing_in_it_tells_of_the_machine(archive):
    header = np.load(archive)["header"].tobytes().decode()
    assert "here" not in header
    assert json.loads(header)["records"][0]["machine"]["cpu"] == "a cpu"


def test_the_report_writes_it(folder, tmp_path):
    main([str(folder), "--archive", str(tmp_path / "a.npz"), "--out", str(tmp_path / "out")])
    assert len(read([tmp_path / "a.npz"]).runs) == 3


def test_its_name_says_what_it_is(folder, tmp_path):
    with pytest.raises(SystemExit, match=r"must end with \.npz, got .*a\.tar"):
        main([str(folder), "--archive", str(tmp_path / "a.tar"), "--out", str(tmp_path / "out")])


def changed(archive, **columns):
    with np.load(archive) as file:
        every = {name: file[name] for name in COLUMNS}
    np.savez_compressed(archive, **{**every, **columns})
    return archive


def header(archive, **entries):
    found = json.loads(np.load(archive)["header"].tobytes())
    return np.frombuffer(json.dumps({**found, **entries}).encode(), np.uint8)


@pytest.mark.parametrize(
    ("name", "column", "reason"),
    [
        ("means", np.zeros((5, 9), np.float32), "shape"),
        ("means", np.full((5, 3), np.inf, np.float32), "is inf in"),
        ("episodes", np.zeros((5, 3), np.int32), "has no return"),
        ("episodes", np.full((5, 3), 2**30, np.int32), "in 1073741824 episodes"),
        ("evaluations", np.full((5, 2), -1), "-1"),
        ("scalars_at", np.full((4, 3), 9), "range"),
        ("matrices_at", np.full((2, 4), 10**6), "a matrix has 1000000 rows"),
        ("matrices_at", np.full((2, 4), 1), "reshape|read"),
        ("header", np.array([1, 2], np.uint8), "Expecting value"),
        ("header", np.array(["a"], object), "pickle|Object"),
    ],
)
def test_columns_that_do_not_fit_are_refused_by_name(archive, name, column, reason):
    if name == "matrices_at" and reason.startswith("reshape"):
        column = np.array([[0, 0, 2, 2], [1, 0, 2, 4]])
    with pytest.raises(
        ValueError, match=rf"games\.npz is not a readable archive of runs.*({reason})"
    ):
        read([changed(archive, **{name: column})])


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"version": 2}, "its version is 2, need 1"),
        ({"records": [{"status": "done", "label": ""}] * 2}, "label of a record is ''"),
        ({"settings": [{"model": 3}] * 2}, "model of settings is 3"),
        ({"metrics": ["", "b", "c"]}, "a metric is ''"),
        ({"quantities": [["a", str(i)] for i in range(101)]}, "101 quantities"),
        ({"runs": [{"task": "a"}]}, "label"),
        ({"runs": []}, "no"),
    ],
)
def test_headers_that_do_not_fit_are_refused(archive, entries, reason):
    with pytest.raises(ValueError, match=reason):
        read([changed(archive, header=header(archive, **entries))])


def test_what_fills_the_memory_is_refused(archive):
    with pytest.raises(ValueError, match="more than 67,108,864 bytes when it is unpacked"):
        read([changed(archive, matrices=np.zeros(2**25, np.float32))])


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"a\.npz is not a readable archive of runs"):
        read([tmp_path / "a.npz"])
