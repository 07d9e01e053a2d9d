"""Returns of seeds that train together and one by one: ``python benchmarks/returns_of_seeds.py``.

A seed computes the same in both ways up to rounding, which long training amplifies. So what can be
compared after many iterations is how returns are distributed over seeds. For each task, this trains
the same seeds both ways in a folder, where the same command continues, and prints

- the mean final return of both, and their difference with a 95% interval (Welch);
- the p value of the two-sample Kolmogorov-Smirnov test, and its power: the shift of the mean, in
  standard deviations of single runs, that it would find in 80% of experiments of this size
  (simulated with normal returns);
- the share of evaluations at which the 95% intervals of the two mean learning curves overlap.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import stats
from short_runs import spread
from timing import header

from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.reading.run import Run
from benchmarl_hyper.report.statistics.scores import band, common_frames, curves
from benchmarl_hyper.terminal import table

TASKS = {  # with an evaluation after each fifth or tenth iteration
    "spread": [
        *spread(16),
        "experiment.max_n_frames=102400",
        "experiment.evaluation_interval=10240",
    ],
    "games": [
        "+scenario=games/specialisation_4",
        "experiment.max_n_frames=102400",
        "experiment.evaluation_interval=12800",
    ],
}
COMMON = ["variant=nops", "experiment.evaluation_episodes=32", "callbacks=[]"]
POWER, LEVEL, SIMULATED = 0.8, 0.05, 2000


def train(task: str, n_seeds: int, folder: Path) -> None:
    """Train all seeds one after the other, and all at once."""
    numbers = ",".join(map(str, range(n_seeds)))
    for name, seeds in (("alone", f"seed={numbers}"), ("at_once", f"seed=[{numbers}]")):
        command = [sys.executable, "-m", "benchmarl_hyper.run", "-m", *TASKS[task], *COMMON]
        subprocess.run([*command, seeds, f"hydra.sweep.dir={folder / task / name}"], check=True)


def detectable(n: int, test: float = LEVEL, power: float = POWER) -> float:
    """Return the shift in standard deviations that the Kolmogorov-Smirnov test finds.

    Args:
        n: number of runs on either side.
        test: level of the test.
        power: share of experiments in which it is found.
    """
    random = np.random.default_rng(0)
    pairs = random.normal(size=(SIMULATED, 2, n))
    for shift in np.arange(0.1, 4, 0.05):
        found = [stats.ks_2samp(one, two + shift).pvalue < test for one, two in pairs]
        if np.mean(found) >= power:
            return float(shift)
    return float("inf")


def line(task: str, alone: Sequence[Run], at_once: Sequence[Run]) -> Iterator[str]:
    """Yield the cells of a task's row."""
    one, two = ([run.final_return for run in runs] for runs in (alone, at_once))
    difference = stats.ttest_ind(two, one, equal_var=False).confidence_interval(0.95)
    frames = common_frames([*alone, *at_once])
    bands = [band(frames, curves(runs, frames)) for runs in (alone, at_once)]
    low, high = (np.array([getattr(b, end) for b in bands]) for end in ("low", "high"))
    overlap = low.max(0) <= high.min(0)
    yield task
    yield str(len(one))
    yield from (f"{np.mean(values):.2f} ({np.std(values, ddof=1):.2f})" for values in (one, two))
    yield f"{difference.low:.2f} to {difference.high:.2f}"
    yield f"{stats.ks_2samp(one, two).pvalue:.2f}"
    yield f"{detectable(len(one)):.2f}"
    yield f"{overlap.mean():.0%} of {len(frames)}"


def main(arguments: argparse.Namespace) -> None:
    """Train what is missing, and print the table."""
    print(header())
    rows = []
    for task in arguments.tasks:
        train(task, arguments.seeds, arguments.folder)
        names = ("alone", "at_once")
        alone, at_once = (read([arguments.folder / task / name]).runs for name in names)
        assert not any("seeds_at_once" in run.record for run in alone)
        assert all("seeds_at_once" in run.record for run in at_once)
        rows.append(list(line(task, alone, at_once)))
    columns = ["task", "seeds", "alone: mean (SD)", "at once: mean (SD)", "difference, 95%"]
    columns += ["KS p", f"shift found with {POWER:.0%}, in SD", "curves overlap"]
    print(table([columns, *rows]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Returns of seeds together and one by one.")
    parser.add_argument("folder", type=Path, help="where runs are kept")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=20, help="number of seeds")
    main(parser.parse_args())
