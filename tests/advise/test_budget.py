"""What runs cost, what is remembered, and processes."""

import math
import sys
from pathlib import Path

import pytest

from benchmarl_hyper.advise.costs import Budget
from benchmarl_hyper.advise.memory import FILE, Memory, remembered
from benchmarl_hyper.advise.processes import run_all
from benchmarl_hyper.advise.progress import Progress
from benchmarl_hyper.advise.request import Request


def request(seconds=math.inf, frames=math.inf):
    return Request((), None, ("fups", "nops"), 0.05, seconds, frames, 2)


def test_time_is_shared_by_processes():
    memory = Memory(seconds_per_run={"fups": 50, "nops": 90}, start_seconds=10, seconds=40)
    budget = Budget(request(seconds=400), memory, 1000)
    assert budget.left == 360
    assert budget.cost("nops") == 50
    assert budget.affordable(["fups", "nops"]) == 4
    budget.refuse_too_little()


def test_too_little_time_says_how_long_a_run_takes():
    """Two runs of each take 160 s, two at a time; 100 s were spent before."""
    memory = Memory(seconds_per_run={"fups": 50, "nops": 90}, start_seconds=10, seconds=100)
    expected = r"minutes=2 is too little: .* 1 min 30 s .*in 1 min 40 s.* take minutes=6"
    with pytest.raises(ValueError, match=expected):
        Budget(request(seconds=120), memory, 1000).refuse_too_little()


def test_frames_are_a_budget_too():
    budget = Budget(request(frames=10_000), Memory(target={"fups": 2, "nops": 3}), 1000)
    assert budget.left == 5000
    assert budget.affordable(["nops"]) == 5
    with pytest.raises(ValueError, match=r"frames=3,000 is too little.* take frames=4,000"):
        Budget(request(frames=3000), Memory(), 1000).refuse_too_little()


def test_what_was_written_is_remembered(tmp_path):
    assert remembered(tmp_path) == Memory()
    memory = Memory(random_play=-1.5, looks=[4], target={"fups": 4}, seconds=7.0)
    memory.write(tmp_path / "new")
    assert remembered(tmp_path / "new") == memory
    (tmp_path / FILE).write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"advise\.json cannot be read"):
        remembered(tmp_path)


def test_commands_run_several_at_a_time(tmp_path):
    """Each waits for the file of the other, so that they end only side by side."""
    wait = "import sys, time, pathlib as p\np.Path(sys.argv[1]).touch()\n"
    wait += "while not p.Path(sys.argv[2]).exists(): time.sleep(0.01)\nprint('met')"
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    commands = [[sys.executable, "-c", wait, *pair] for pair in ((a, b), (b, a))]
    commands.append([sys.executable, "-c", "raise SystemExit(3)"])
    assert run_all(commands, 2, tmp_path / "log", lambda: None) == [0, 0, 3]
    assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["met", "met"]


def test_processes_end_when_the_command_is_interrupted(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    forever = [sys.executable, "-c", "import time; time.sleep(1000)"]
    with pytest.raises(KeyboardInterrupt):
        run_all([forever, forever], 2, Path(tmp_path, "log"), interrupt)


def test_plain_output_has_each_line_once(capsys):
    progress = Progress()
    for seconds in range(3):
        progress.say(f"training: {seconds} s spent", passing=True)
    progress.say("done: all")
    progress.end()
    assert capsys.readouterr().out == "training\ndone: all\n"


def test_a_terminal_has_one_line_that_changes(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    progress = Progress()
    progress.say("training: 10 s", passing=True)
    progress.say("done")
    progress.say("more", passing=True)
    progress.end()
    assert capsys.readouterr().out == "\rtraining: 10 s\rdone          \n\rmore\n"
