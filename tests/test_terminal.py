import io
import subprocess
import sys

import pytest

from benchmarl_hyper import terminal
from benchmarl_hyper.terminal import (
    HELPERS,
    READERS,
    UpdatingLine,
    duration,
    last_line,
    stays_light,
    table,
)


def test_columns_are_aligned_under_a_rule():
    assert table([["a", "long"], ["wider", "b"]]) == "a      long\n-----------\nwider  b"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.25, "1.2 s"), (42.4, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("error", "line"),
    [("Traceback\n  File x\n\nValueError: no\n", "ValueError: no"), ("", ""), (None, "")],
)
def test_of_a_traceback_the_last_line_counts(error, line):
    assert last_line(error) == line


@pytest.mark.parametrize("command", [x for x in (*READERS, *HELPERS) if x != "doctor"])
def test_help_starts_without_torch(command):
    """The flag makes Python list all imports."""
    listing = [sys.executable, "-X", "importtime", "-m", f"benchmarl_hyper.{command}", "--help"]
    done = subprocess.run(listing, capture_output=True, encoding="utf-8", check=True)
    assert f"usage: python -m benchmarl_hyper.{command}" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "benchmarl_hyper.terminal" in loaded
    assert not {"torch", "torchrl", "benchmarl", "numpy"} & loaded


@pytest.mark.parametrize(
    ("words", "light"),
    [
        ("-m benchmarl_hyper.status runs", True),
        ("-X dev -m benchmarl_hyper.status -m", True),
        ("-mbenchmarl_hyper.status runs", True),
        ("-m benchmarl_hyper.export -h", True),
        ("-m benchmarl_hyper.export checkpoint --help", True),
        ("-m benchmarl_hyper.export checkpoint out", False),
        ("-m benchmarl_hyper.export -- --help out", False),
        ("-m benchmarl_hyper.run --help", False),
        ("-m my_project.status --help", False),
        ("-m benchmarl_hyper", False),
    ],
)
def test_which_commands_stay_light(words, light, monkeypatch):
    """Python has taken its own options from ``sys.argv``, and the module's name."""
    words = words.split()
    module = next(i for i, word in enumerate(words) if "." in word or word.endswith("hyper"))
    monkeypatch.setattr(sys, "orig_argv", ["python", *words])
    monkeypatch.setattr(sys, "argv", ["-m", *words[module + 1 :]])
    assert stays_light() == light


@pytest.mark.parametrize(
    ("words", "light"),
    [
        ("", True),
        ("--help", True),
        ("status runs", True),
        ("doctor", True),
        ("export --help", True),
        ("export checkpoint out", False),
        ("run --help", False),
        ("variants", False),
        ("stauts", False),
    ],
)
def test_which_commands_of_the_console_script_stay_light(words, light, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/benchmarl-hyper", *words.split()])
    assert stays_light() == light
    if words:
        name, *others = words.split()
        monkeypatch.setattr(sys, "argv", [f"/some where/benchmarl-hyper {name}", *others])
        assert stays_light() == light
    monkeypatch.setattr(sys, "argv", ["-m", *words.split()])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "benchmarl_hyper.cli", *words.split()])
    assert stays_light() == light


def test_other_programs_do_not_stay_light(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script.py", "--help"])
    assert not stays_light()


class Stream(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when they are told to."""
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_a_terminal_shows_a_line_in_place(monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    line = UpdatingLine(Stream(True))
    for text in ("a longer text", "short"):
        line.show(text)
    line.end("end")
    assert line.stream.getvalue() == "\ra longer te\rshort      \rend  \n"


def test_a_file_gets_a_changed_line_now_and_then(clock):
    line = UpdatingLine(Stream(False))
    for seconds, text in [(1, "a"), (11, "b"), (12, "c"), (30, "b"), (200, "d"), (230, "e")]:
        clock[0] = 100 + seconds
        line.show(text)
    line.end("end")
    assert line.stream.getvalue() == "b\nd\nend\n"
