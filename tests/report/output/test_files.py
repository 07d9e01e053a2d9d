import os
import stat

import pytest

from benchmarl_hyper.report.output import files
from benchmarl_hyper.report.output.files import OutputFolder


def test_files_are_written_whole_and_as_others_may_read_them(tmp_path):
    out = OutputFolder(tmp_path / "a" / "report")
    path = out.write("tables/x.csv", "ä\ud800")
    assert path.read_bytes() == b"\xc3\xa4\\ud800"  # what is no UTF-8 is told by its number
    assert out.write("tables/x.csv", b"new").read_bytes() == b"new"
    assert [one.name for one in path.parent.iterdir()] == ["x.csv"]
    probe = tmp_path / "probe"
    probe.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(probe.stat().st_mode)


def test_a_link_at_the_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine", encoding="utf-8")
    (tmp_path / "report" / "figures").mkdir(parents=True)
    (tmp_path / "report" / "figures" / "x.png").symlink_to(mine)
    os.link(mine, tmp_path / "report" / "report.html")
    out = OutputFolder(tmp_path / "report")
    out.write("figures/x.png", b"theirs")
    out.write("report.html", b"theirs")
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "report" / "figures" / "x.png").is_symlink()


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "report").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        ValueError, match=r"report is a link, so .* elsewhere; give a folder .*--out"
    ):
        OutputFolder(tmp_path / "report")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="tables is a link"):
        OutputFolder(tmp_path / "other").write("tables/x.csv", "")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_where_nothing_can_be_written_the_remedy_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot be written to .*; give a folder that you may"):
        OutputFolder(tmp_path / "file" / "report")
    out = OutputFolder(tmp_path / "report")
    (tmp_path / "report" / "report.html").mkdir()
    with pytest.raises(ValueError, match=r"report.html cannot be written .*--out"):
        out.write("report.html", "")
    assert [one.name for one in (tmp_path / "report").iterdir()] == ["report.html"]
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ValueError, match=r"cannot be written to .*report \(no permission\)"):
        OutputFolder(tmp_path / "report")
