"""Cost of a run through our runner, beside BenchMARL's: ``python benchmarks/single_runs.py``.

Both train BenchMARL's ``mlp`` of [64, 64] with IPPO, on one torch thread, without evaluations and
files. They take turns, an experiment each, because the speed of a shared machine drifts. The ratio
compares the median CPU times of an iteration; the median over rounds is shown, with all of them.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr
from statistics import median
from tempfile import TemporaryDirectory

from seeds import TASKS
from short_runs import ShortRuns, hidden
from timing import header, verdict

from benchmarl_hyper.terminal import table

MLP = ["model=layers/mlp", "model@critic_model=layers/mlp"]
# What makes the critics of both packages the same: one for all agents
PACKAGES = {"benchmarl": [], "benchmarl_hyper": ["sharing.share_param_critic=True"]}
TARGETS = {"spread": 0.6, "games": 0.5}


def iteration(package: str, task: str, iterations: int) -> float:
    """Return the median CPU seconds of an iteration.

    Args:
        package: whose runner trains, ``benchmarl_hyper`` or ``benchmarl``.
        task: key of ``TASKS``.
        iterations: number of iterations that count; the first one is left out.
    """
    seconds: list[float] = []
    with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # no progress bars
        words = [*TASKS[task], *MLP, *PACKAGES[package], *hidden(64)]
        runs = ShortRuns(words, iterations + 1, folder, package)
        train = runs.benchmarl if package == "benchmarl" else runs.alone
        train(seconds.append).run()
    return median(seconds[1:])


def main(rounds: int, iterations: int) -> None:
    """Measure all tasks, and print a table."""
    print(header())
    rows = [["task", "BenchMARL, ms", "ours, ms", "ratio", "of each round", "at most"]]
    for task in TASKS:
        theirs, ours = (
            list(column)
            for column in zip(
                *(
                    [iteration(package, task, iterations) for package in PACKAGES]
                    for _ in range(rounds)
                ),
                strict=True,
            )
        )
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        ratio, target = median(ratios), TARGETS.get(task)
        rows.append(
            [
                task,
                *(f"{1000 * median(x):.0f}" for x in (theirs, ours)),
                f"{ratio:.2f}",
                ", ".join(f"{x:.2f}" for x in sorted(ratios)),
                f"{target}: {verdict(ratio, target)}" if target else "",
            ]
        )
    print(table(rows))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3] or (5, 4)))
