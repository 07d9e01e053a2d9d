import os

import pytest
import torch
from support.resuming import assert_same, final_state, resumable

from benchmarl_hyper.running import checkpoint_files
from benchmarl_hyper.running.checkpoint_files import (
    CheckpointWriter,
    checkpoints_in,
    is_good,
    is_whole,
    newest_good,
)

STATE = {"state": {"total_frames": 1, "n_iters_performed": 1}, "loss_agents": torch.arange(5000.0)}


def written(folder, *frames, keep=None):
    writer = CheckpointWriter(folder, keep, share=1)
    for n in frames:
        writer.write(lambda: STATE, n)
    return checkpoints_in(folder)


def cut(share):
    return lambda content: content[: int(share * len(content))]


DAMAGES = {
    "empty": cut(0),
    **{f"cut at {share}": cut(share) for share in (0.01, 0.5, 0.9, 0.999)},
    "zeros at the end": lambda content: content[:15_000] + bytes(len(content) - 15_000),
    "zeros inside": lambda content: content[:9000] + bytes(100) + content[9100:],
    "a bit": lambda content: content[:9000] + bytes([content[9000] ^ 1]) + content[9001:],
    "text": lambda content: b"text",
    "longer": lambda content: content + bytes(100_000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_newest_good_one_is_used_and_the_others_are_put_aside(tmp_path, capsys, damage):
    first, second, third = written(tmp_path, 8, 16, 120)
    assert newest_good([first, second, third]) == third
    assert capsys.readouterr().out == ""
    third.write_bytes(DAMAGES[damage](third.read_bytes()))
    assert newest_good([first, second, third]) == second
    assert checkpoints_in(tmp_path) == [first, second]
    assert (tmp_path / "checkpoint_120.pt.damaged").is_file()
    shown = capsys.readouterr().out
    assert "checkpoint_120.pt is damaged and was renamed to checkpoint_120.pt.damaged" in shown
    assert "the run continues from checkpoint_16.pt" in shown


def test_without_a_good_one_the_run_starts_again(tmp_path, capsys):
    (file,) = written(tmp_path, 8)
    file.write_bytes(b"")
    torch.save(
        {"weights": torch.zeros(1)}, tmp_path / "checkpoint_9.pt"
    )  # whole, but something else
    assert newest_good(checkpoints_in(tmp_path)) is None
    assert checkpoints_in(tmp_path) == []
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2
    assert all("the run starts again from the beginning" in line for line in shown)


def test_objects_that_are_not_plain_are_no_checkpoint(tmp_path):
    torch.save({**STATE, "code": checkpoint_files.CheckpointWriter}, tmp_path / "checkpoint_9.pt")
    assert is_whole(tmp_path / "checkpoint_9.pt")
    assert not is_good(tmp_path / "checkpoint_9.pt")


@pytest.mark.parametrize(("keep", "kept"), [(None, [8, 16, 120]), (1, [120]), (2, [16, 120])])
def test_older_ones_go_when_the_new_one_was_read_back(tmp_path, keep, kept):
    assert [int(f.stem[11:]) for f in written(tmp_path, 8, 16, 120, keep=keep)] == kept
    assert len(list(tmp_path.iterdir())) == len(kept)


def test_the_new_one_stays_also_where_later_ones_were_left(tmp_path):
    """After continuing from an older checkpoint by hand."""
    written(tmp_path, 100)
    assert [file.name for file in written(tmp_path, 8, keep=1)] == ["checkpoint_8.pt"]


def broken(state, path):
    path.write_bytes(b"half")
    raise RuntimeError("PytorchStreamWriter failed writing file")


def shortened(state, path):
    path.write_bytes(b"half")


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (broken, r"checkpoint_16.tmp could not be written \(Pytorch.* has [\d.]+ GB left"),
        (shortened, r"checkpoint_16.tmp is not what was written when it is read back"),
    ],
)
def test_one_that_could_not_be_written_leaves_the_last_one(tmp_path, monkeypatch, save, message):
    (file,) = written(tmp_path, 8, keep=1)
    whole = file.read_bytes()
    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OSError, match=message):
        written(tmp_path, 16, keep=1)
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == whole


def test_what_could_not_be_loaded_again_is_refused_when_it_is_written(tmp_path):
    objects = {**STATE, "code": CheckpointWriter}
    with pytest.raises(ValueError, match=r"torch would not load this run's checkpoints again"):
        CheckpointWriter(tmp_path, 1, share=1).write(lambda: objects, 8)
    assert list(tmp_path.iterdir()) == []


def test_a_power_cut_finds_the_old_one_or_the_new_one_on_the_disk(tmp_path, monkeypatch):
    """The new file is on the disk before it gets its name, and its name before the old one goes."""
    (old,) = written(tmp_path, 8)
    inode, calls = tmp_path.stat().st_ino, []

    def said(word, function):
        def saying(*args, **kwargs):
            folder = word == "sync" and os.fstat(args[0]).st_ino == inode
            calls.append("sync folder" if folder else word)
            return function(*args, **kwargs)

        return saying

    monkeypatch.setattr(os, "fsync", said("sync", os.fsync))
    monkeypatch.setattr(os, "replace", said("replace", os.replace))
    monkeypatch.setattr(type(old), "unlink", said("unlink", type(old).unlink))
    written(tmp_path, 16, keep=1)
    assert calls == ["sync", "replace", "sync folder", "unlink"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / "checkpoint_8.tmp").write_bytes(b"half")
    written(tmp_path, 16)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint_16.pt"]


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan")])
def test_a_share_is_a_share(tmp_path, share):
    with pytest.raises(ValueError, match=r"checkpoint_share must be above 0 and at most 1, got"):
        CheckpointWriter(tmp_path, 1, share)


def test_a_checkpoint_is_due_when_it_was_earned(tmp_path, monkeypatch):
    """Writing takes 3 seconds, at a share of a tenth."""
    now = [0.0]
    monkeypatch.setattr(checkpoint_files.time, "monotonic", lambda: now[0])
    writer, always = (CheckpointWriter(tmp_path, 1, share) for share in (0.1, 1))
    assert writer.is_due()
    save = torch.save

    def slow(state, path):
        now[0] += 3
        save(state, path)

    monkeypatch.setattr(torch, "save", slow)
    for one in (writer, always):
        one.write(lambda: STATE, 8)
    assert always.is_due()
    for passed, due in ((0, False), (26, False), (1, True)):  # the other one took 3
        now[0] += passed
        assert writer.is_due() == due


def test_which_checkpoints_are_written_does_not_change_the_numbers(tmp_path):
    settings = {"model": "nops", "checkpoint_interval": 8, "keep_checkpoints_num": None}
    always = resumable(tmp_path / "always", **settings)
    seldom = resumable(tmp_path / "seldom", **settings, checkpoint_share=1e-9)
    for run in (always, seldom):
        run.run()
    assert_same(final_state(seldom), final_state(always))
    names = [
        [file.stem for file in checkpoints_in(run.folder_name / "checkpoints")]
        for run in (always, seldom)
    ]
    assert names[0] == [f"checkpoint_{n}" for n in (8, 16, 24, 32)]
    assert names[1] == ["checkpoint_8", "checkpoint_32"]  # the first and the last
