"""Archives of runs, and what somebody else may have put into one."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from support.recorded_runs import own_run
from support.run_folders import contents

from benchmarl_hyper.report.page import default_folder
from benchmarl_hyper.report.reading import archives
from benchmarl_hyper.report.reading.archives import unpacked
from benchmarl_hyper.report.reading.results import read


def archive(base, folder, ending="xz"):
    path = base / f"games.tar{'.' * bool(ending)}{ending}"
    with tarfile.open(path, f"w:{ending}") as file:
        file.add(folder, arcname="games")
    return path


def member(name, content=b"{}", **facts):
    """An archive of one member in memory."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in facts.items():
        setattr(info, key, value)
    return info, io.BytesIO(content)


def written(path, *members, **options):
    with tarfile.open(path, "w:gz", **options) as file:
        for info, content in members:
            file.addfile(info, content)
    return path


@pytest.mark.parametrize("ending", ["xz", "gz", "bz2", ""])
def test_an_archive_is_read_like_its_folder_and_nothing_is_written_beside_it(tmp_path, ending):
    folder = own_run(tmp_path / "runs", absolute=[1.0])
    (folder / "config.pkl").write_bytes(b"code")
    path = archive(tmp_path, tmp_path / "runs", ending)
    before = contents(tmp_path)
    (run,) = read([path]).runs
    (original,) = read([tmp_path / "runs"]).runs
    assert contents(tmp_path) == before
    assert run.evaluations == original.evaluations
    assert run.record == original.record
    assert run.place.short == f"{path.name}/games/vmas_navigation/ippo_nops/seed_0"
    assert default_folder(path) == tmp_path / "games" / "report"


def test_what_was_unpacked_is_removed_and_code_is_not_unpacked(tmp_path):
    folder = own_run(tmp_path / "runs")
    (folder / "config.pkl").write_bytes(b"code")
    with unpacked([archive(tmp_path, tmp_path / "runs"), tmp_path / "runs"]) as (there, given):
        assert given == tmp_path / "runs"
        assert {path.suffix for path in there.rglob("*.*")} == {".json", ".yaml"}
    assert not there.exists()


REFUSED = {
    "a link": (
        member("games/x.json", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "neither",
    ),
    "a hard link": (member("games/x.json", b"", type=tarfile.LNKTYPE, linkname="a"), "neither"),
    "a device": (member("games/x.json", b"", type=tarfile.CHRTYPE), "neither a file nor"),
    "a pipe": (member("games/x.json", b"", type=tarfile.FIFOTYPE), "neither a file nor"),
    "above": (member("games/../../x.json"), "would lie outside its folder"),
    "absolute": (member("/tmp/x.json"), "would lie outside its folder"),
    "deep": (member("games/" + "x/" * 60 + "x.json"), "lies in too many folders"),
    "of Windows": (member("..\\x.json"), "would lie outside its folder"),
    "a long name": (member("games/" + "x" * 300 + ".json"), "is not a readable tar archive"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_members_that_reach_out_are_refused(tmp_path, name):
    what, message = REFUSED[name]
    path = written(tmp_path / "games.tar.gz", member("games/run.json"), what)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message):
        read([path])
    assert contents(tmp_path) == before
    assert not list(tmp_path.parent.glob("x.json"))


def test_a_member_never_replaces_another(tmp_path):
    twice = written(tmp_path / "a.tar.gz", member("games/run.json"), member("games/run.json"))
    with pytest.raises(ValueError, match=r"a.tar.gz holds 'games/run.json' twice"):
        read([twice])
    inside = written(tmp_path / "b.tar.gz", member("games/x.json"), member("games/x.json/y.json"))
    with pytest.raises(ValueError, match=r"b.tar.gz is not a readable tar archive of runs"):
        read([inside])


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_BYTES", 2**20)
    for name in ("games/x.json", "games/checkpoint.pt"):  # the second would only be passed over
        path = written(tmp_path / "games.tar.gz", member(name, bytes(2**24)))
        with pytest.raises(ValueError, match=r"has more than [\d,]+ bytes when it is unpacked"):
            read([path])
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    path = written(tmp_path / "many.tar.gz", *(member(f"games/{i}.json") for i in range(5)))
    with pytest.raises(ValueError, match="has more than 3 members"):
        read([path])


def test_a_header_does_not_fill_the_memory(tmp_path):
    headers = {"comment": "x" * 2**21}
    path = written(
        tmp_path / "games.tar.gz",
        member("games/run.json"),
        format=tarfile.PAX_FORMAT,
        pax_headers=headers,
    )
    with pytest.raises(ValueError, match=r"has a header of [\d,]+ bytes; a report does not unpack"):
        read([path])


def test_members_go_forwards_only(tmp_path):
    """A negative size once made tarfile read the same header for ever."""
    path = tmp_path / "games.tar.gz"
    info = tarfile.TarInfo("games/x.json")
    header = bytearray(info.tobuf())
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"  # -1024 in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(gzip.compress(bytes(header) + bytes(4096)))
    with pytest.raises(ValueError, match=r"members that overlap|not a readable tar archive"):
        read([path])


@pytest.mark.parametrize("ending", ["xz", "gz", "bz2", ""])
def test_a_truncated_archive_is_refused(tmp_path, ending):
    own_run(tmp_path / "runs")
    path = archive(tmp_path, tmp_path / "runs", ending)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(ValueError, match="is not a readable tar archive of runs"):
        read([path])


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "games.tar.xz").write_text("no archive", encoding="utf-8")
    with pytest.raises(ValueError, match=r"games.tar.xz is not a readable tar archive"):
        read([tmp_path / "games.tar.xz"])
    os.symlink(tmp_path / "absent", tmp_path / "link.tar")
    with pytest.raises(ValueError, match="is not a folder"):
        read([Path(tmp_path / "link.tar")])
