"""Final return against learning rate: ``python results/rates.py FILE... [--figure rates.png]``.

Runs need labels that end with ``_lr`` and their rate. For each task and variant, it prints the best
rate, and over how many octaves of rates the variant is within 5% of its best: 5% of the range from
the mean first evaluation of all variants, at their smallest rate, to the best mean of all. Between
the rates that were run, returns are interpolated linearly over the logarithm of the rate. A range
that ends at the smallest or the largest rate is at least as wide as printed, marked by ``>=``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarl_hyper.report.output.figures import Panel, curve_figure, styles
from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.reading.run import Run
from benchmarl_hyper.report.statistics.scores import Band, grouped, score
from benchmarl_hyper.terminal import table

NEAR = 0.05  # of the range
STEPS = 1000  # of the interpolation, per octave


def by_rate(runs: Mapping[str, Sequence[Run]]) -> dict[str, dict[float, list[Run]]]:
    """Return a task's runs by variant and rate, from runs by label."""
    found: dict[str, dict[float, list[Run]]] = {}
    for label, of_label in runs.items():
        if match := re.fullmatch(r"(.+)_lr([0-9.e-]+)", label):
            found.setdefault(match[1], {})[float(match[2])] = list(of_label)
    return {variant: dict(sorted(rates.items())) for variant, rates in found.items()}


def band(rates: Mapping[float, Sequence[Run]]) -> Band:
    """Return mean final returns and their 95% intervals over rates."""
    scores = [score([run.final_return for run in runs]) for runs in rates.values()]
    mean = np.array([one.mean for one in scores])
    known = all(one.interval for one in scores)
    ends = np.array([one.interval for one in scores]).T if known else (None, None)
    n = min(map(len, rates.values()))
    return Band(np.array(list(rates)), mean, ends[0], ends[1], n)


def octaves(x: np.ndarray, y: np.ndarray, least: float) -> tuple[float, bool]:
    """Return how wide the range of rates around the best one is in which returns reach a value.

    Args:
        x: rates, ascending.
        y: mean returns.
        least: the value.

    Returns:
        The width in octaves, and whether the range goes to an end of the rates.
    """
    log = np.log2(x)
    fine = np.linspace(log[0], log[-1], int((log[-1] - log[0]) * STEPS) + 1)
    near = np.interp(fine, log, y) >= least
    begin = end = int(np.argmin(abs(fine - log[np.argmax(y)])))
    while begin > 0 and near[begin - 1]:
        begin -= 1
    while end < len(fine) - 1 and near[end + 1]:
        end += 1
    return float(fine[end] - fine[begin]), begin == 0 or end == len(fine) - 1


def rows(task: str, variants: Mapping[str, Mapping[float, Sequence[Run]]]) -> list[list[str]]:
    """Return the rows of a task: variant, best rate, its return, and octaves near the best."""
    bands = {variant: band(rates) for variant, rates in variants.items()}
    first = [
        run.evaluations[0].metrics["return"] for of in variants.values() for run in of[min(of)]
    ]
    near = NEAR * (max(line.y.max() for line in bands.values()) - np.mean([*map(np.mean, first)]))
    found = []
    for variant, line in bands.items():
        best = int(np.argmax(line.y))
        width, open_ended = octaves(line.x, line.y, line.y[best] - near)
        found.append(
            [
                *(task, variant, f"{line.x[best]:g}", f"{line.y[best]:.4g}"),
                *(f"{'>= ' * open_ended}{width:.1f}", str(line.n)),
            ]
        )
    return found


def main() -> None:
    """Print the table, and draw the figure if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("files", nargs="+", type=Path, help="folders or archives of runs")
    parser.add_argument("--figure", type=Path, help="a PNG file to draw")
    options = parser.parse_args()
    tasks = {task: by_rate(runs) for task, runs in grouped(read(options.files).runs).items()}
    tasks = {task: variants for task, variants in tasks.items() if variants}
    header = ["task", "variant", "best rate", "final return", "octaves within 5%", "n"]
    print(table([header, *(row for task in tasks for row in rows(task, tasks[task]))]))
    if options.figure:
        panels = [
            Panel(
                task, "learning rate", "final return", {v: band(of) for v, of in variants.items()}
            )
            for task, variants in tasks.items()
        ]
        labels = list(dict.fromkeys(v for variants in tasks.values() for v in variants))
        figure = curve_figure(panels, styles(labels))
        for ax in figure.axes:
            ax.set_xscale("log")
        figure.savefig(options.figure, dpi=130)


if __name__ == "__main__":
    main()
