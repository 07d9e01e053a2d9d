"""Plain text for a terminal, and commands that answer at once."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path


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
    if sys.argv[:1] == ["-m"]:
        command = sys.orig_argv[-len(sys.argv)].rpartition("benchmarl_hyper.")[2]
        if command != "cli":
            return [command, *sys.argv[1:]]
    elif Path(sys.argv[0] if sys.argv else "").stem != DOOR:
        return [""]
    words = sys.argv[1:]
    return words if words and words[0] not in ("-h", "--help") else [READERS[0]]
