"""How far a sweep is, from its run folders: the same for one process, joblib, Slurm and Ray."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from benchmarl_hyper.running.records import read_plan, records, state
from benchmarl_hyper.terminal import duration

STATES = ("done", "running", "interrupted", "failed", "unreadable", "left")


class Progress(NamedTuple):
    """How far the runs of a folder are.

    Attributes:
        records: the records of the runs that have begun, by run folder.
        states: their states, by run folder.
        n_left: number of planned runs that have not begun.
    """

    records: dict[Path, dict[str, Any]]
    states: dict[Path, str]
    n_left: int

    @property
    def counts(self) -> Counter[str]:
        """Numbers of runs, by state."""
        return Counter(self.states.values()) + Counter(left=self.n_left)

    @property
    def running(self) -> list[dict[str, Any]]:
        """The records of the runs that a process is working on."""
        return [record for path, record in self.records.items() if self.states[path] == "running"]


def progress_of(folder: Path, planned_alone: bool = False) -> Progress:
    """Return how far the runs of a folder are.

    Args:
        folder: the folder of a sweep.
        planned_alone: whether to leave out runs that the latest sweep has not planned.
    """
    plan, found = read_plan(folder), records(folder)
    if planned_alone and plan:
        found = {path: record for path, record in found.items() if path in plan}
    states = {path: state(path, record) for path, record in found.items()}
    return Progress(found, states, len(plan - found.keys()))


def share(record: dict[str, Any]) -> float:
    """Return the share of its frames that a run has collected."""
    return record.get("frames", 0) / (record.get("max_frames") or float("inf"))


def seconds_left(progress: Progress) -> float | None:
    """Return the remaining time in seconds; None if it is not known.

    It is estimated from the seconds of finished runs and from the number of runs that are running
    now. As long as no run is finished, it is extrapolated from the running ones. Seeds that are
    trained at once count as one run.
    """
    running = progress.running
    costs = [_cost(progress.records[path]) for path, s in progress.states.items() if s == "done"]
    costs = costs or [_cost(record) / share(record) for record in running if share(record)]
    if not running or not costs:
        return None
    left = progress.n_left + sum(1 - share(record) for record in running)
    return left * fmean(costs) / sum(1 / _n_at_once(record) for record in running)


def _cost(record: dict[str, Any]) -> float:
    """Return the seconds that a run has taken; its training alone, if no more is known."""
    times = [datetime.fromisoformat(record[key]) for key in ("started", "updated")]
    of_this_attempt = (times[1] - times[0]).total_seconds() / _n_at_once(record)
    return max(of_this_attempt, record.get("wall_time_s", 0))


def _n_at_once(record: dict[str, Any]) -> int:
    return len(record.get("seeds_at_once") or [0])


def in_a_line(name: str, progress: Progress) -> str:
    """Return how far a sweep is, in one line.

    Args:
        name: name of the sweep.
        progress: how far its runs are.
    """
    counts, running = progress.counts, progress.running
    parts = [f"{name}  {counts['done']} of {counts.total()} done"]
    if running:
        first = max(running, key=share)
        parts.append(f"{len(running)} running ({_run(first)})")
    parts += [f"{counts[s]} {s}" for s in ("failed", "unreadable") if counts[s]]
    if seconds := seconds_left(progress):
        parts.append(f"about {duration(seconds)} left")
    return ", ".join(parts)


def _run(record: dict[str, Any]) -> str:
    name = f"{record.get('label', '?')} seed {record.get('seed', '?')}: {share(record):.0%}"
    mean = record.get("return")
    return name if mean is None else f"{name}, return {mean:.3g}"
