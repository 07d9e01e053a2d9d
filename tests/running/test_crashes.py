"""Processes that die in every kind of write: what follows is as if they had not."""

import csv
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from support.experiments import TASKS, experiment

from benchmarl_hyper.running.callbacks import RunCallback
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.one_run import perform
from benchmarl_hyper.running.recording import record_matrix
from benchmarl_hyper.running.run_folder import RunFolder

LABELS = {"task": "tiny/place", "label": "ippo_nops", "seed": 0, "overrides": []}
SETTINGS = {"experiment": {"lr": 0.01}}


class Killed(BaseException):
    pass


class Writes:
    """Lets a process die at its n-th write, which happens by half or not at all."""

    def __init__(self, n):
        self.left = n

    def wrap(self, function, half=None):
        def wrapped(*args, **kwargs):
            self.left -= 1
            if self.left < 0:
                if half is not None and self.left == -1:
                    half(*args)
                raise Killed
            return function(*args, **kwargs)

        return wrapped


def half_text(path, text, **kwargs):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text[: len(text) // 2])


def half_file(state, path):
    Path(path).write_bytes(b"PK half")


def half_tree(source, target, *others, **kwargs):
    os.makedirs(target, exist_ok=True)
    files = [file for file in Path(source).iterdir() if file.is_file()]
    for file in files[::2]:
        shutil.copy(file, target)


@contextmanager
def killed_at(n):
    """Whether the block was killed at its n-th write, counted from 0."""
    writes = Writes(n)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, half in (
            (torch, "save", half_file),
            (Path, "write_text", half_text),
            (shutil, "copytree", half_tree),
            (os, "replace", None),
            (os, "truncate", None),
            (Path, "rename", None),
            (Path, "unlink", None),
        ):
            patch.setattr(owner, name, writes.wrap(getattr(owner, name), half))
        killed = []
        try:
            yield killed
        except Killed:
            killed.append(True)


class Notes(RunCallback):
    """Writes a line of diagnostics per iteration."""

    def on_train_end(self, training_td, group):
        record_matrix(self.experiment, group, "note", training_td["loss_objective"][:1, None])


def build(path, checkpoint, callbacks):
    return experiment(
        path,
        "nops",
        task=TASKS["global_state"],
        kind=ResumableExperiment,
        callbacks=[*callbacks, Notes()],
        restore_file=checkpoint and str(checkpoint),
        checkpoint_interval=8,
        keep_checkpoints_num=1,
        evaluation_interval=16,
        max_n_iters=3,
    )


def measured(folder):
    """All that a finished run has measured, except for times."""
    assert RunFolder(folder).record()["status"] == "done"
    (run,) = (file.parent for file in folder.glob("*/config.pkl"))
    results = json.loads((run / f"{run.name}.json").read_text(encoding="utf-8"))
    scalars = {
        file.name: list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
        for file in run.glob("*/scalars/*.csv")
        if not file.name.startswith("timers_")
    }
    assert len(list((run / "checkpoints").iterdir())) == 1
    return results, scalars, (run / "diagnostics.jsonl").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    perform(folder, LABELS, SETTINGS, build)
    return measured(folder)


@pytest.mark.slow
def test_a_run_that_dies_at_its_first_second_and_every_later_write(tmp_path, uninterrupted):
    """Each attempt gets one write further than the one before, until one ends."""
    for n in range(200):
        with killed_at(n) as killed:
            perform(tmp_path, LABELS, SETTINGS, build)
        if not killed:
            break
    assert n > 15
    assert measured(tmp_path) == uninterrupted


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A run that died in the evaluation after its last checkpoint, and that wrote a half line."""
    folder = tmp_path_factory.mktemp("interrupted")

    def dying(*arguments):
        run = build(*arguments)
        write = run.logger.json_writer.write

        def dies(**evaluation):
            write(**evaluation)
            if evaluation["total_frames"] == 24:
                raise Killed

        run.logger.json_writer.write = dies
        return run

    with pytest.raises(Killed):
        perform(folder, LABELS, SETTINGS, dying)
    (file,) = folder.glob("*/diagnostics.jsonl")
    with open(file, "a", encoding="utf-8") as opened:
        opened.write('{"frames": 24, "na')
    memory = file.with_name("buffer_agents")  # as BenchMARL's buffers on disk leave it
    memory.mkdir()
    (memory / "action.memmap").write_bytes(b"much")
    return folder


def contents(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != ".lock"
    }


@pytest.mark.parametrize("continues", [True, False])
def test_putting_aside_can_die_at_every_write(tmp_path, interrupted, continues):
    """Going back to the checkpoint, or starting again: the second try does all of it."""

    def aside(path):
        folder = RunFolder(path)
        checkpoint = folder.checkpoint()
        folder.put_aside(checkpoint if continues else None)

    few = tmp_path / "few"  # files, since there is a copy for each write
    shutil.copytree(interrupted, few)
    for scalars in sorted(few.glob("*/*/scalars/*.csv"))[3:]:
        scalars.unlink()
    shutil.copytree(few, tmp_path / "whole")
    aside(tmp_path / "whole")
    expected = contents(tmp_path / "whole")
    assert not [name for name in expected if "buffer_agents" in name]
    if continues:
        (lines,) = (
            t
            for n, t in expected.items()
            if n.endswith("diagnostics.jsonl") and "attempts" not in n
        )
        assert lines.count(b"\n") == len(lines.splitlines()) == 3
    for n in range(200):
        shutil.copytree(few, tmp_path / str(n))
        with killed_at(n) as killed:
            aside(tmp_path / str(n))
        aside(tmp_path / str(n))
        assert contents(tmp_path / str(n)) == expected
        if not killed:
            break
    assert n >= (5 if continues else 1)


def test_what_was_copied_and_is_then_given_up_is_kept_twice(tmp_path, interrupted):
    shutil.copytree(interrupted, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    (folder.path / "just_made").mkdir()  # by a process that died at once
    folder.put_aside(folder.checkpoint())
    (checkpoint,) = folder.path.glob("*/checkpoints/checkpoint_24.pt")
    checkpoint.write_bytes(b"")
    assert folder.checkpoint() is None
    folder.put_aside(None)
    name = checkpoint.parent.parent.name
    kept = sorted(path.name for path in (folder.path / "attempts" / "1").iterdir())
    assert kept == sorted([name, f"{name}_2", "just_made"])
    assert [path.name for path in folder.path.iterdir() if path.is_dir()] == ["attempts"]


DAMAGES = {
    "empty": lambda file: file.write_bytes(b""),
    "a half": lambda file: os.truncate(file, file.stat().st_size // 2),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "gone": lambda file: file.unlink(),
}
FILES = ["config.pkl", "*.json", "checkpoints/*.pt"]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_no_damaged_file_blocks_a_run(tmp_path, interrupted, uninterrupted, name, damage):
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    (file,) = folder.glob(f"*/{name}")
    DAMAGES[damage](file)
    (folder / file.relative_to(folder).parts[0] / "checkpoints" / "x.tmp").write_bytes(b"half")
    perform(folder, LABELS, SETTINGS, build)
    assert measured(folder)[0] == uninterrupted[0]
    assert measured(folder)[2] == uninterrupted[2]


def test_a_failed_run_continues_from_its_last_checkpoint(tmp_path, interrupted, uninterrupted):
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    RunFolder(folder).update(status="failed", error="OSError: no space left")
    perform(folder, LABELS, SETTINGS, build)
    assert RunFolder(folder).record()["attempts"] == 2
    assert measured(folder) == uninterrupted
