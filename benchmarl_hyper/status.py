"""The progress of a sweep, from any terminal: ``python -m benchmarl_hyper.status DIR``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarl_hyper.running.records import read_plan, records, state
from benchmarl_hyper.terminal import duration, last_line, table

STATES = ("done", "running", "interrupted", "failed", "unreadable", "left")
SHOWN = 20  # runs with problems that are listed


def status(folder: Path) -> str:
    """Return a table for a terminal: runs by task and label, problems, and the remaining time.

    Args:
        folder: the folder of a sweep.

    Raises:
        ValueError: if the folder has neither runs nor a plan.
    """
    plan, found = read_plan(folder), records(folder)
    if not plan and not found:
        raise ValueError(f"no runs in {folder}; give the folder of a sweep, runs/<name>")
    states = {path: state(path, record) for path, record in found.items()}
    n_left = len(plan - found.keys())
    counts = Counter(states.values()) + Counter(left=n_left)
    total = ", ".join(f"{counts[s]} {s}" for s in STATES if counts[s])
    lines = [
        _table(found, states),
        "",
        f"{counts.total()} run{'s' * (counts.total() != 1)}: {total}",
    ]
    return "\n".join([*lines, *_problems(found, states), *_estimate(found, states, n_left)])


def _table(found: dict[Path, dict[str, Any]], states: dict[Path, str]) -> str:
    rows: dict[tuple[str, str], Counter[str]] = {}
    shares: dict[tuple[str, str], list[float]] = {}
    for path, record in found.items():
        key = (str(record.get("task", "?")), str(record.get("label", "?")))
        rows.setdefault(key, Counter())[states[path]] += 1
        shares.setdefault(key, []).append(_share(record))
    header = ["task", "label", *STATES[:-1], "frames"]
    body = [
        [*key, *(str(counts[s] or "") for s in STATES[:-1]), f"{fmean(shares[key]):.0%}"]
        for key, counts in rows.items()
    ]
    return table([header, *body])


def _share(record: dict[str, Any]) -> float:
    return record.get("frames", 0) / (record.get("max_frames") or float("inf"))


def _problems(found: dict[Path, dict[str, Any]], states: dict[Path, str]) -> list[str]:
    lines = [
        f"{states[path]}: {path} {last_line(record.get('error'))}".rstrip()
        for path, record in found.items()
        if states[path] in ("failed", "interrupted", "unreadable")
    ]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]


def _estimate(
    found: dict[Path, dict[str, Any]], states: dict[Path, str], n_left: int
) -> Iterator[str]:
    """Yield the remaining time, or what to do if nothing is running.

    The time is estimated from the seconds of finished runs and from the number of runs that are
    running now. As long as no run is finished, it is extrapolated from the running ones.
    """
    running = [record for path, record in found.items() if states[path] == "running"]
    if not running:
        if n_left or set(states.values()) - {"done"}:
            yield "no process is at work; running the same command again does the rest"
        return
    costs = [record["wall_time_s"] for path, record in found.items() if states[path] == "done"]
    costs = costs or [r["wall_time_s"] / _share(r) for r in running if r.get("frames")]
    if costs:
        todo = n_left + sum(1 - _share(record) for record in running)
        seconds = todo * fmean(costs) / len(running)
        yield f"about {duration(seconds)} to go, {len(running)} at a time"


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
    try:
        print(status(parser.parse_args(arguments).folder))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
