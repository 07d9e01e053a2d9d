"""What the runs of a candidate have measured so far, read from their folders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarl_hyper.report.reading.own_runs import own_run
from benchmarl_hyper.report.reading.run import Place, Run
from benchmarl_hyper.report.statistics.scores import common_frames, curves
from benchmarl_hyper.run_files import RECORD
from benchmarl_hyper.running.records import read_record
from benchmarl_hyper.terminal import last_line

FINISHED = ("done", "failed")
LAST = 0.2  # of the frames: the part in which a curve that still rises is looked for


@dataclass(frozen=True)
class Outcome:
    """The runs of a candidate.

    Attributes:
        runs: its finished runs, by seed.
        failures: why seeds have no return, by seed.
    """

    runs: dict[int, Run]
    failures: dict[int, str]

    def scores(self, n_seeds: int) -> list[float]:
        """Return the final return of each of the first seeds; nan where there is none."""
        return [
            self.runs[seed].final_return if seed in self.runs else math.nan
            for seed in range(n_seeds)
        ]

    @property
    def seconds(self) -> float:
        """The mean time of a run; nan without one."""
        times = [run.record.get("wall_time_s") for run in self.runs.values()]
        return _mean([time for time in times if time is not None])

    @property
    def parameters(self) -> int | None:
        """The number of trainable parameters of policy and critic; None if it is not known."""
        for run in self.runs.values():
            counts = run.record.get("parameters") or {}
            found = [n for groups in counts.values() for n in groups.values()]
            if found:
                return sum(found)
        return None

    @property
    def snd(self) -> float:
        """The mean behavioural diversity at the end, over seeds and groups; nan without one."""
        return _mean(
            [
                by_frames[max(by_frames)]
                for run in self.runs.values()
                if run.recording is not None
                for (_, name), by_frames in run.recording.scalars.items()
                if name == "snd" and by_frames
            ]
        )

    @property
    def rise(self) -> float:
        """How much the mean curve rose in the last fifth of the frames; nan if it is too short."""
        runs = list(self.runs.values())
        frames = common_frames(runs)
        if len(frames) < 2:
            return math.nan
        mean = curves(runs, frames).mean(axis=0)
        before = float(np.interp((1 - LAST) * frames[-1], frames, mean))
        return float(mean[-1]) - before


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def is_finished(folder: Path) -> bool:
    """Return whether a run folder's run is done, or has failed."""
    return read_record(folder).get("status") in FINISHED


def outcome(folders: Sequence[Path]) -> Outcome:
    """Read the runs of a candidate.

    Args:
        folders: the run folders of the seeds 0, 1, 2 and so on.
    """
    runs: dict[int, Run] = {}
    failures: dict[int, str] = {}
    for seed, folder in enumerate(folders):
        try:
            found = own_run(folder / RECORD, Place(str(folder), RECORD))
            run = next(one for one in found if isinstance(one, Run))
            if not math.isfinite(run.final_return):
                raise ValueError(f"its return is {run.final_return}")
            runs[seed] = run
        except (ValueError, OSError, StopIteration) as error:
            reason = last_line(read_record(folder).get("error")) or str(error)
            failures[seed] = " ".join(reason.split())
    return Outcome(runs, failures)
