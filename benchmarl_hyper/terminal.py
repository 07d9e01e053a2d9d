"""Plain text for a terminal, and commands that answer at once."""

from __future__ import annotations

import difflib
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as aligned lines, with a rule under the first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    header, *body = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([header, "-" * len(header), *body])


def duration(seconds: float) -> str:
    """Return seconds as ``42 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def last_line(error: str | None) -> str:
    """Return the last line of a traceback, which says what was raised; empty for no traceback."""
    return (error or "").strip().rpartition("\n")[2]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'`` for the known name that is nearest; empty if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'" if near else ""


class UpdatingLine:
    """A line that a terminal shows in place, and that other outputs get now and then.

    Other outputs, for example files, get a changed line after 10 seconds, and later after a fifth
    of the time that has passed.

    Args:
        stream: where the line goes; None for the standard error stream.
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = sys.stderr if stream is None else stream
        self.in_place = self.stream.isatty()
        self.shown = ""
        self.began = self.told = time.monotonic()

    def show(self, text: str) -> None:
        """Show a text in place of the last one."""
        now = time.monotonic()
        if self.in_place:
            text = text[: shutil.get_terminal_size().columns - 1]
            self._write(f"\r{text.ljust(len(self.shown))}")
            self.shown = text
        elif text != self.shown and now - self.told >= max(10, (now - self.began) / 5):
            self._write(f"{text}\n")
            self.shown, self.told = text, now

    def end(self, text: str) -> None:
        """Show the last text, and end the line."""
        self._write(f"\r{text.ljust(len(self.shown))}\n" if self.in_place else f"{text}\n")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


# Commands that need neither torch nor BenchMARL, whose imports take seconds
READERS = ("report", "status", "tasks", "doctor")
# Commands that need neither for their --help
HELPERS = ("advise", "export", "observations", "replay")
DOOR = "benchmarl-hyper"  # the console script


def stays_light() -> bool:
    """Return whether this process is a command of ours that needs neither torch nor BenchMARL.

    Python imports the package before the command, while ``sys.argv`` still begins with ``-m``.
    """
    command, *words = _command_line()
    asks_for_help = "--" not in words and not {"-h", "--help"}.isdisjoint(words)
    return command in READERS or (command in HELPERS and asks_for_help)


def _command_line() -> list[str]:
    """Return a command of ours and its words; an empty command for any other process."""
    first: list[str] = []
    if sys.argv[:1] == ["-m"]:
        command = sys.orig_argv[-len(sys.argv)].rpartition("benchmarl_hyper.")[2]
        if command != "cli":
            return [command, *sys.argv[1:]]
    else:
        program, *first = Path(sys.argv[0] if sys.argv else "").name.split(" ")
        if Path(program).stem != DOOR:  # the door makes "benchmarl-hyper export" of it
            return [""]
    words = [*first, *sys.argv[1:]]
    return words if words and words[0] not in ("-h", "--help") else [READERS[0]]
