"""Reports on runs that somebody else has made, who may have chosen every name and byte."""

import csv
import io
import re
import sys

import pytest
from support.recorded_runs import config, diagnostic, own_run
from support.run_folders import contents

from benchmarl_hyper.report import page
from benchmarl_hyper.report.__main__ import main
from benchmarl_hyper.report.output.images import Images
from benchmarl_hyper.report.page import write

LABEL = "$x^2_$ <script>alert(1)</script> | =1+1"
QUANTITIES = ("../../../up", "cost", "Cost", "per_run", "<b>", "snd_$x^", "gradient_/etc")
SECRET, HOST = "hunter2", "alices-laptop"


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without pictures, which take the time."""
    monkeypatch.setattr(page, "images", lambda draw: Images(b"png", b"pdf", 1.0))


def hostile(base):
    lines = [diagnostic(100, name, value=1.0) for name in QUANTITIES]
    lines += [diagnostic(100, name, matrix=[[1.0]]) for name in ("snd/../x", "snd")]
    for seed in range(2):
        own_run(
            base,
            "nops",
            seed,
            task="a/<i>$_",
            label=LABEL,
            extra={"=cmd|$": [[0.0], [1.0]]},
            diagnostics=lines,
            commit="=1+1",
            machine={"host": HOST, "device": "/dev/alice/gpu"},
            settings=config(seed, data="/home/alice/data.bin", api_key=SECRET),
        )
    error = "Traceback\nFileNotFoundError: '/home/alice/x.yaml' <script>\x1b[2J"
    own_run(base, "fups", 0, status="failed", error=error)


def every(out):
    return {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}


def test_names_stay_in_the_folder_and_replace_nothing(tmp_path, undrawn):
    hostile(tmp_path / "runs")
    before = contents(tmp_path)
    write([tmp_path / "runs"], tmp_path / "out")
    assert set(contents(tmp_path)) - set(before) == set(every(tmp_path / "out").values())
    names = every(tmp_path / "out")
    assert all(re.fullmatch(r"[\w/]+\.\w+", name, re.ASCII) for name in names)
    assert len({name.lower() for name in names}) == len(names)
    assert {"tables/Cost_2.csv", "tables/cost_2_2.csv", "tables/per_run_2.csv"} <= set(names)
    assert names["tables/cost.csv"].read_text(encoding="utf-8").startswith("task,label,n,wall")
    for name, path in names.items():
        if name.endswith(".csv"):
            rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
            assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def test_markup_in_names_and_errors_is_text(tmp_path, undrawn):
    hostile(tmp_path)
    text = write([tmp_path]).read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search(r"<script|<i>|<b>[^0-9a]|\x1b", text)
    assert "default-src 'none'" in text


def test_pages_say_what_is_code(tmp_path, undrawn):
    own_run(tmp_path)
    text = write([tmp_path]).read_text(encoding="utf-8")
    assert "are code: whoever loads them runs what their author wrote. A report reads none" in text


def test_places_and_hosts_are_told_only_when_asked_and_secrets_never(tmp_path, undrawn):
    hostile(tmp_path / "runs")
    private = [HOST, str(tmp_path), "/home/alice", "/dev/alice"]
    for name, path in every(write([tmp_path / "runs"], tmp_path / "out").parent).items():
        content = path.read_text(encoding="utf-8")
        assert not [text for text in [*private, SECRET] if text in content], name
    rows = (tmp_path / "out" / "tables" / "per_run.csv").read_text(encoding="utf-8")
    assert ",runs/a_<i>$_/ippo_nops/seed_0\n" in rows
    main([str(tmp_path / "runs"), "--out", str(tmp_path / "shown"), "--show-places"])
    shown = {n: p.read_text(encoding="utf-8") for n, p in every(tmp_path / "shown").items()}
    assert all(any(text in content for content in shown.values()) for text in private)
    assert f"report {tmp_path / 'runs'} --out" in shown["report.html"]
    assert not any(SECRET in content for content in shown.values())


def test_a_report_that_links_out_of_the_folder_changes_nothing_there(tmp_path, undrawn):
    own_run(tmp_path / "runs")
    mine = tmp_path / "mine"
    mine.write_text("mine", encoding="utf-8")
    write([tmp_path / "runs"])
    for path in every(tmp_path / "runs" / "report").values():
        path.unlink()
        path.symlink_to(mine)
    write([tmp_path / "runs"])
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not any(path.is_symlink() for path in every(tmp_path / "runs" / "report").values())


def test_a_reader_without_write_access_gets_the_remedy(tmp_path):
    own_run(tmp_path / "runs")
    (tmp_path / "runs" / "report").touch()
    with pytest.raises(SystemExit, match=r"error: the report cannot be written to .*--out"):
        main([str(tmp_path / "runs")])


def test_long_lists_are_cut_on_the_page_and_whole_in_files(tmp_path, undrawn, capsys):
    own_run(tmp_path)
    for i in range(60):
        (tmp_path / f"broken_{i:02}.json").write_text("{", encoding="utf-8")
    main([str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Dropped ") for line in lines) == 21
    assert "Dropped 40 more; the report's tables/dropped.csv lists all." in lines
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert text.count("maybe half-written") == 50
    assert "And 10 more." in text
    rows = (tmp_path / "report" / "tables" / "dropped.csv").read_text(encoding="utf-8")
    assert rows.count("maybe half-written") == 60


def test_a_terminal_that_knows_ascii_alone_gets_numbers_of_characters(
    tmp_path, undrawn, monkeypatch
):
    own_run(tmp_path, label="ippo_ä")
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    main([str(tmp_path)])
    out.seek(0)
    assert "ippo_\\xe4" in out.read()


def test_folded_tables_have_a_short_title_and_a_caption(tmp_path, undrawn):
    hostile(tmp_path)
    text = write([tmp_path]).read_text(encoding="utf-8")
    titles = re.findall(r"<summary>(.*?)</summary>", text)
    assert {"Definitions", "Settings in common", "Run folders", "Bounds"} & set(titles)
    assert all(0 < len(title) < 60 for title in titles)
    assert "Settings that are the same in all runs." in text
