"""The section on all tasks together: normalised scores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output import matrix_figures as matrices
from benchmarl_hyper.report.output.figures import Dots, Panel, Style
from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.output.text import count, listed, with_interval
from benchmarl_hyper.report.sections.base import Picture, Section
from benchmarl_hyper.report.statistics.across_tasks import Aggregates

BOOTSTRAP = "95% percentile intervals of the stratified bootstrap over seeds"


def overall_section(found: Aggregates | None, n_tasks: int, looks: Mapping[str, Style]) -> Section:
    """Show aggregates, performance profiles, probabilities of improvement, sample efficiency.

    Args:
        found: the aggregates; None if there are none.
        n_tasks: the number of tasks in the report.
        looks: a style for every label.
    """
    title = "All tasks together" if n_tasks > 1 else "Normalised scores (one task)"
    if found is None:
        text = "No task has both runs of all labels and scores that differ."
        return Section(title, [text])
    looks = {label: look for label, look in looks.items() if label in found.labels}
    tasks = count(len(found.tasks), "task")
    scope = f"Normalised {found.score} on {tasks}"
    pictures = [_intervals(found, scope, looks), _profiles(found, scope, looks)]
    if found.improvement:
        pictures.append(_improvement(found, scope))
    if found.efficiency:
        pictures.append(_efficiency(found, tasks, looks))
    tables = [_statistics_table(found, scope)]
    return Section(title, _text(found), pictures, tables, [_bounds_table(found)])


def _text(found: Aggregates) -> list[str]:
    text = [f"Left out: {note}." for note in found.notes]
    given = [task for task in found.tasks if found.bounds[task].given]
    derived = [task for task in found.tasks if not found.bounds[task].given]
    if given:
        text.append(f"For {listed(given)}, the returns that count as 0 and 1 were given.")
    if derived:
        text.append(
            f"For {listed(derived)}, the lowest and the highest mean return count as 0 and 1, "
            "among the scores and the evaluations that all of these runs have. Both values move "
            "when runs are added. To compare scores with another report, give bounds with --bounds."
        )
    if len(found.tasks) == 1:
        text.append(
            "There is one task, so the mean and the median over tasks are the same. With few "
            "runs, bootstrap intervals are too narrow: use the intervals of final and absolute "
            "returns above instead."
        )
    return text


def _intervals(found: Aggregates, scope: str, looks: Mapping[str, Style]) -> Picture:
    panels = [Dots(name, "", rows, {}) for name, rows in found.statistics.items()]
    caption = f"{scope}, with {BOOTSTRAP}. A smaller optimality gap is better."
    return Picture("aggregates", caption, partial(figures.dot_figure, panels, looks, columns=4))


def _profiles(found: Aggregates, scope: str, looks: Mapping[str, Style]) -> Picture:
    panel = Panel("Performance profiles", "normalised score", "share of runs above", found.profiles)
    caption = (
        f"{scope}: share of runs whose score is above the value on the horizontal axis. Shaded: "
        f"pointwise {BOOTSTRAP}. n is the number of runs."
    )
    return Picture("performance_profiles", caption, partial(figures.curve_figure, [panel], looks))


def _improvement(found: Aggregates, scope: str) -> Picture:
    caption = (
        f"{scope}: probability that a run of the row's label has a higher score than a run of the "
        f"column's label on the same task, with {BOOTSTRAP}. Violet: the row's label is better. "
        "Orange: the column's label is better. If the interval includes 0.5, these runs leave open "
        "which label is better."
    )
    draw = partial(matrices.improvement_figure, found.labels, found.improvement)
    return Picture("probability_of_improvement", caption, draw)


def _efficiency(found: Aggregates, tasks: str, looks: Mapping[str, Style]) -> Picture:
    panel = Panel("Sample efficiency", found.efficiency_axis, "IQM", found.efficiency)
    caption = (
        f"IQM of the normalised evaluation return on {tasks} during training. Shaded: pointwise "
        f"{BOOTSTRAP}. n is the number of runs."
    )
    return Picture("sample_efficiency", caption, partial(figures.curve_figure, [panel], looks))


def _statistics_table(found: Aggregates, scope: str) -> Table:
    rows = [
        [label, *(with_interval(*estimates[label]) for estimates in found.statistics.values())]
        for label in found.labels
    ]
    return Table("aggregates", f"{scope}, with {BOOTSTRAP}.", ["label", *found.statistics], rows)


def _bounds_table(found: Aggregates) -> Table:
    rows = [
        [task, f"{np.round(low, 6):g}", f"{np.round(high, 6):g}", "given" if given else "data"]
        for task, (low, high, given) in found.bounds.items()
    ]
    caption = "The returns of each task that count as 0 and as 1."
    return Table("bounds", caption, ["task", "0 is", "1 is", "from"], rows, title="Bounds")
