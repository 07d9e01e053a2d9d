"""Cost of seeds that are trained together: ``python benchmarks/seeds.py [--help]``.

Every line of the table is measured in a process of its own. It trains one seed alone, all seeds
together, and one alone again, because the speed of a shared machine drifts. Each training has one
iteration that is left out and a few that count; times are their medians. The ratio compares CPU
time with that of the same seeds one after the other, which is the time of one alone, times their
number. Memory is the peak of the process, minus the peak after a tiny run, which loads everything
that is loaded once; linear is that of one alone, times the number of seeds. There are no
evaluations, no files, and one torch thread.

The second table fits a line to cost against number of seeds. Its value at zero seeds is the fixed
cost, which is paid once for all. The unit is the cost of one seed alone.

The whole grid takes most of an hour. For a part of it, use for example
``--tasks spread --models fups --sizes 64 --seeds 10``.
"""

from __future__ import annotations

import argparse
import gc
import io
import itertools
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from short_runs import ShortRuns, hidden, spread
from timing import header, peak_memory, verdict

TASKS = {
    "spread": spread(16),
    "dispersion": ["+scenario=dispersion"],  # 16 environments x 128 steps
    "games": ["+scenario=games/specialisation_8"],  # 64 x 20
}
TINY = [
    "experiment.on_policy_n_envs_per_worker=2",
    "experiment.on_policy_collected_frames_per_batch=4",
    "experiment.on_policy_n_minibatch_iters=1",
    "experiment.on_policy_minibatch_size=4",
]
MODELS = ["fups", "nops", "hypermarl_mlp"]
SIZES, SEEDS = [64, 256], [2, 5, 10, 20]
TARGETS = {("spread", 10): 0.25, ("games", 10): 0.5}  # of the same seeds one after the other
MEMORY_TARGET = 1.5  # of linear


class Cell(NamedTuple):
    """What one process measures."""

    task: str
    model: str
    size: int
    n_seeds: int
    iterations: int

    def overrides(self) -> list[str]:
        """Return the setting of its runs, as on the command line."""
        return [*TASKS[self.task], f"variant={self.model}", *hidden(self.size)]


class Measured(NamedTuple):
    """CPU seconds per iteration, and peak MiB, of one seed alone and of all together."""

    alone: float
    alone_memory: float
    together: float
    memory: float


def measure(cell: Cell) -> Measured:
    """Train one seed alone, all together, and one alone again."""
    alone: list[list[float]] = [[], []]
    together: list[float] = []
    with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # no progress bars
        ShortRuns([*cell.overrides(), *TINY], 1, folder).alone([].append).run()
        loaded = peak_memory()
        runs = ShortRuns(cell.overrides(), cell.iterations + 1, folder)
        runs.alone(alone[0].append).run()
        gc.collect()
        alone_memory = peak_memory() - loaded
        runs.together(cell.n_seeds, together.append).run()
        memory = peak_memory() - loaded
        runs.alone(alone[1].append).run()
    of_one = median(alone[0][1:] + alone[1][1:])
    return Measured(of_one, alone_memory, median(together[1:]), memory)


def rows(cell: Cell, found: Measured, first: bool) -> Iterator[list[str]]:
    """Yield lines of the first table.

    Args:
        cell: what was measured.
        found: what came out.
        first: whether to begin with the line of one seed alone.
    """
    setting = [cell.task, cell.model, f"[{cell.size}, {cell.size}]"]
    if first:
        one = ["1 alone", f"{found.alone:.3f}", "1", "", f"{found.alone_memory:.0f}", "1", ""]
        yield [*setting, *one]
    n_seeds = cell.n_seeds
    ratio = found.together / (n_seeds * found.alone)
    target = TARGETS.get((cell.task, n_seeds))
    linear = found.memory / (n_seeds * found.alone_memory)
    yield [
        *setting,
        str(n_seeds),
        f"{found.together / n_seeds:.3f}",
        f"{ratio:.2f}",
        f"{target}: {verdict(ratio, target)}" if target else "",
        f"{found.memory:.0f}",
        f"{linear:.2f}",
        verdict(linear, MEMORY_TARGET),
    ]


def line(costs: Mapping[int, float]) -> tuple[float, float]:
    """Return the fixed cost, and the cost of one more seed.

    Args:
        costs: cost by number of seeds, in units of one seed alone.
    """
    slope, intercept = np.polyfit(list(costs), list(costs.values()), 1)
    return float(intercept), float(slope)


def markdown(cells: Sequence[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def costs(cells: Sequence[Cell]) -> dict[int, float]:
    """Measure the cells of one setting and print their lines.

    Returns:
        The cost by number of seeds, in units of one seed alone.
    """
    context = multiprocessing.get_context("spawn")
    found_costs = {1: 1.0}
    for cell in cells:
        with ProcessPoolExecutor(1, context) as process:
            found = process.submit(measure, cell).result()
        for cells_of_row in rows(cell, found, first=cell is cells[0]):
            print(markdown(cells_of_row), flush=True)
        found_costs[cell.n_seeds] = found.together / found.alone
    return found_costs


def main(arguments: argparse.Namespace) -> None:
    """Measure the chosen part of the grid, and print two Markdown tables."""
    torch.set_num_threads(1)
    print(header(), end="\n\n")
    columns = ["task", "model", "cells", "seeds", "CPU s per seed and iteration"]
    columns += ["of one after the other", "at most", "MiB", "of linear", f"at most {MEMORY_TARGET}"]
    print(markdown(columns), markdown(["---"] * len(columns)), sep="\n", flush=True)
    lines = []
    for setting in itertools.product(arguments.tasks, arguments.models, arguments.sizes):
        found = costs([Cell(*setting, n, arguments.iterations) for n in arguments.seeds])
        task, model, size = setting
        values = [f"{value:.2f}" for value in line(found)]
        lines.append(markdown([task, model, f"[{size}, {size}]", *values]))
    columns = ["task", "model", "cells", "fixed cost", "cost of one more seed"]
    print("", markdown(columns), markdown(["---"] * len(columns)), *lines, sep="\n")


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return which part of the grid the command line asks for."""
    parser = argparse.ArgumentParser(description="Cost of seeds that are trained together.")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--models", nargs="+", default=MODELS, help="names of variants")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="hidden sizes")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=SEEDS, help="numbers of seeds to train together"
    )
    parser.add_argument("--iterations", type=int, default=2, help="iterations that count")
    return parser.parse_args(words)


if __name__ == "__main__":
    main(parsed(sys.argv[1:]))
