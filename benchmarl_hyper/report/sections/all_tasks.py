"""What a report shows of all tasks together: normalised scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output import matrix_figures as matrices
from benchmarl_hyper.report.output.figures import Dots, Panel, Style
from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.output.text import listed, with_interval
from benchmarl_hyper.report.sections.base import Picture, Section
from benchmarl_hyper.report.statistics.across_tasks import Aggregates

BOOTSTRAP = "95% percentile intervals of the stratified bootstrap over seeds"


def overall_section(found: Aggregates | None, n_tasks: int, looks: Mapping[str, Style]) -> Section:
    """Aggregates, profiles, probabilities of improvement and sample efficiency."""
    title = "All tasks together" if n_tasks > 1 else "Normalised scores (of one task)"
    if found is None:
        return Section(title, ["No task has runs of all labels, and scores that differ."])
    looks = {label: look for label, look in looks.items() if label in found.labels}
    tasks = f"{len(found.tasks)} task{'s' * (len(found.tasks) > 1)}"
    scope = f"Normalised {found.score} of {tasks}"
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
        text.append(f"Scores that count as 0 and 1 were given for {listed(given)}.")
    if derived:
        text.append(
            f"For {listed(derived)}, 0 and 1 are the lowest and the highest mean return of any "
            "evaluation of these runs. Both move when runs are added: give bounds with --bounds to "
            "compare with other reports."
        )
    if len(found.tasks) == 1:
        text.append(
            "There is one task, so the mean and the median over tasks are the same, and the "
            "bootstrap of few runs is too narrow: go by the intervals of the section before."
        )
    return text


def _intervals(found: Aggregates, scope: str, looks: Mapping[str, Style]) -> Picture:
    panels = [Dots(name, "", rows, {}) for name, rows in found.statistics.items()]
    caption = f"{scope}, with {BOOTSTRAP}. The smaller the optimality gap, the better."
    return Picture("aggregates", caption, figures.dot_figure(panels, looks, columns=4))


def _profiles(found: Aggregates, scope: str, looks: Mapping[str, Style]) -> Picture:
    panel = Panel("Performance profiles", "normalised score", "share of runs above", found.profiles)
    caption = (
        f"{scope}: the share of runs that score more, with {BOOTSTRAP}, at each point by itself. "
        "n is the number of runs."
    )
    return Picture("performance_profiles", caption, figures.curve_figure([panel], looks))


def _improvement(found: Aggregates, scope: str) -> Picture:
    caption = (
        f"{scope}: the probability that a run of the row's label scores more than one of the "
        f"column's on the same task, with {BOOTSTRAP}. Violet: the row's is better; orange: the "
        "column's. Where the interval holds 0.5, these runs do not say which is."
    )
    figure = matrices.improvement_figure(found.labels, found.improvement)
    return Picture("probability_of_improvement", caption, figure)


def _efficiency(found: Aggregates, tasks: str, looks: Mapping[str, Style]) -> Picture:
    panel = Panel("Sample efficiency", found.efficiency_axis, "IQM", found.efficiency)
    caption = (
        f"IQM of the normalised evaluation return of {tasks} during training, with {BOOTSTRAP}, "
        "at each point by itself. n is the number of runs."
    )
    return Picture("sample_efficiency", caption, figures.curve_figure([panel], looks))


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
    caption = "Returns that count as 0 and as 1."
    return Table("bounds", caption, ["task", "0 is", "1 is", "from"], rows)
