"""The progress of a sweep, from any terminal: ``python -m benchmarl_hyper.status DIR``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from benchmarl_hyper.running.progress import (
    STATES,
    Progress,
    in_a_line,
    progress_of,
    seconds_left,
    share,
)
from benchmarl_hyper.terminal import UpdatingLine, duration, last_line, table

SHOWN = 20  # runs with problems that are listed
SECONDS = 2  # between two looks at a sweep
CLEAR = "\x1b[H\x1b[J"  # the cursor to the first line of a terminal, and nothing below it


def status(folder: Path) -> str:
    """Return a table for a terminal: runs by task and label, problems, and the remaining time.

    Args:
        folder: the folder of a sweep.

    Raises:
        ValueError: if the folder has neither runs nor a plan.
    """
    progress = progress_of(folder)
    counts = progress.counts
    if not counts:
        raise ValueError(f"no runs in {folder}; give the folder of a sweep, runs/<name>")
    total = ", ".join(f"{counts[s]} {s}" for s in STATES if counts[s])
    lines = [
        _table(progress),
        "",
        f"{counts.total()} run{'s' * (counts.total() != 1)}: {total}",
    ]
    return "\n".join([*lines, *_problems(progress), *_outlook(progress)])


def _table(progress: Progress) -> str:
    rows: dict[tuple[str, str], Counter[str]] = {}
    shares: dict[tuple[str, str], list[float]] = {}
    for path, record in progress.records.items():
        key = (str(record.get("task", "?")), str(record.get("label", "?")))
        rows.setdefault(key, Counter())[progress.states[path]] += 1
        shares.setdefault(key, []).append(share(record))
    header = ["task", "label", *STATES[:-1], "frames"]
    body = [
        [*key, *(str(counts[s] or "") for s in STATES[:-1]), f"{fmean(shares[key]):.0%}"]
        for key, counts in rows.items()
    ]
    return table([header, *body])


def _problems(progress: Progress) -> list[str]:
    states = progress.states
    lines = [
        f"{states[path]}: {path} {last_line(record.get('error'))}".rstrip()
        for path, record in progress.records.items()
        if states[path] in ("failed", "interrupted", "unreadable")
    ]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]


def _outlook(progress: Progress) -> Iterator[str]:
    """Yield the remaining time, or what to do if nothing is running."""
    if seconds := seconds_left(progress):
        yield f"about {duration(seconds)} to go, {len(progress.running)} at a time"
    elif not progress.running and set(progress.counts) - {"done"}:
        yield "no process is at work; running the same command again does the rest"


def watch(folder: Path) -> None:
    """Print the table of a sweep again and again, as long as a process is working on its runs.

    A terminal shows it in place. Other outputs get one line now and then.

    Args:
        folder: the folder of a sweep.

    Raises:
        ValueError: if the folder has neither runs nor a plan.
    """
    line = UpdatingLine(sys.stdout)
    while True:
        text, progress = status(folder), progress_of(folder)
        if line.in_place:
            print(f"{CLEAR}{text}", flush=True)
        else:
            line.show(in_a_line(folder.name, progress))
        if not progress.running:
            break
        time.sleep(SECONDS)
    if not line.in_place:
        print(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of a sweep.

    Args:
        arguments: the words of the command line; None for those of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.status", description="Show how far the runs of a sweep are."
    )
    parser.add_argument(
        "folder", metavar="DIR", type=Path, help="the folder of a sweep, runs/<name>"
    )
    parser.add_argument(
        "--watch", action="store_true", help="show it again and again until the sweep has ended"
    )
    options = parser.parse_args(arguments)
    try:
        if options.watch:
            watch(options.folder)
        else:
            print(status(options.folder))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
