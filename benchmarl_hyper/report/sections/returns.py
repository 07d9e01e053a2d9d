"""What a report shows of returns: figures and tables with their captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from benchmarl_hyper.report.comparability import listed
from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output.figures import Dots, Panel, Style
from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.overview import leading, overview
from benchmarl_hyper.report.statistics.estimators import Estimate
from benchmarl_hyper.report.statistics.scores import (
    Groups,
    Score,
    absolute_scores,
    extra_metrics,
    final_scores,
    learning_curves,
    standing,
)

PER_FIGURE = 24
INTERVAL = "95% Student t intervals of the mean over seeds"
T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A figure, the name of its files, and its caption."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Section:
    """A heading, what to know about it, figures, and tables; ``folded`` ones are opened by hand."""

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    folded: Sequence[Table] = ()


def pages(
    name: str, caption: str, panels: Sequence[T], draw: Callable[[Sequence[T]], Figure]
) -> Iterator[Picture]:
    """Figures of at most 24 panels each."""
    parts = [panels[i : i + PER_FIGURE] for i in range(0, len(panels), PER_FIGURE)]
    for number, part in enumerate(parts, start=1):
        if len(parts) == 1:
            yield Picture(name, caption, draw(part))
        else:
            yield Picture(f"{name}_{number}", f"{caption} ({number}/{len(parts)})", draw(part))


def protocol(groups: Groups) -> str:
    """Episodes and frames, for captions: ``32 episodes per evaluation, 20,000,000 frames``."""
    runs = [run for labels in groups.values() for label in labels.values() for run in label]
    episodes = [len(run.evaluations[-1].metrics["return"]) for run in runs]
    frames = [run.evaluations[-1].frames for run in runs]
    return f"{_span(episodes)} episodes per evaluation, {_span(frames)} frames of training"


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def curves_section(groups: Groups, looks: Mapping[str, Style]) -> Section:
    """Return along training, a panel per task."""
    lines = learning_curves(groups)
    panels = [Panel(task, "frames", "return", lines[task]) for task in lines]
    caption = (
        f"Return of evaluations during training: mean over seeds. Shaded: {INTERVAL}, at each "
        f"point by itself. n is the number of seeds; {protocol(groups)}."
    )
    without = [task for task in groups if task not in lines]
    text = [f"No evaluation that all runs share, so no curve: {listed(without)}."]
    pictures = pages(
        "learning_curves", caption, panels, lambda page: figures.curve_figure(page, looks)
    )
    return Section("Learning curves", text if without else (), list(pictures))


def extras_section(groups: Groups, looks: Mapping[str, Style]) -> Section | None:
    """Curves of the other metrics that evaluations recorded."""
    found = extra_metrics(groups)
    metrics = sorted({metric for names in found.values() for metric in names})
    panels = []
    for metric in metrics:
        lines = learning_curves(groups, metric)
        panels += [Panel(task, "frames", metric, lines[task]) for task in lines]
    if not panels:
        return None
    caption = (
        f"Other metrics of evaluations: mean over seeds. Shaded: {INTERVAL}, pointwise. n is the "
        f"number of seeds; {protocol(groups)}."
    )
    pictures = pages(
        "other_metrics", caption, panels, lambda page: figures.curve_figure(page, looks)
    )
    return Section("Other metrics", (), list(pictures))


def scores_section(groups: Groups, looks: Mapping[str, Style], unusable: int) -> Section:
    """Final returns and absolute metrics, as dots and as a table that says what it lacks."""
    final, absolute = final_scores(groups), absolute_scores(groups)
    drawn = f"mean over seeds (large), {INTERVAL} (bar), single seeds (small dots)"
    last = f"Return of the last evaluation: {drawn}; {protocol(groups)}."
    fresh = f"Absolute metric: {drawn}; {_fresh(groups)} fresh episodes after training."
    pictures = [
        *dots("final_return", last, final, looks),
        *dots("absolute_metric", fresh, absolute, looks),
    ]
    tables, every = [returns_table(groups, unusable)], [score_table(final, absolute)]
    return Section("Final and absolute returns", (), pictures, tables, every)


def _fresh(groups: Groups) -> str:
    runs = [run for labels in groups.values() for label in labels.values() for run in label]
    return _span([len(run.absolute["return"]) for run in runs if run.absolute] or [0])


def dots(
    name: str,
    caption: str,
    scores: Mapping[str, Mapping[str, Score]],
    looks: Mapping[str, Style],
    origin: float | None = None,
) -> Iterator[Picture]:
    """Means, intervals and seeds of labels, a panel per task; ``origin`` is marked by a line."""
    panels = [
        Dots(
            task,
            name.replace("_", " "),
            {label: _estimate(score) for label, score in labels.items()},
            {label: score.seeds for label, score in labels.items()},
            origin,
        )
        for task, labels in scores.items()
    ]
    return pages(name, caption, panels, lambda page: figures.dot_figure(page, looks))


def _estimate(score: Score) -> Estimate:
    ends = (
        None
        if score.interval is None
        else (np.float64(score.interval[0]), np.float64(score.interval[1]))
    )
    return Estimate(np.float64(score.mean), ends)


def returns_table(groups: Groups, unusable: int) -> Table:
    """Final returns, a row per label and a column per task.

    Args:
        groups: runs by task and label.
        unusable: files of runs that could not be used, for the caption.
    """
    files = f"{unusable} file" + "s" * (unusable > 1)
    lacking = f" Not in it: {files} that could not be used (see report.html)." if unusable else ""
    caption = (
        f"Return of the last evaluation: mean over n seeds, and {INTERVAL} (none below 3 seeds); "
        f"{protocol(groups)}. Bold: the highest mean of the task, and those whose intervals "
        f"overlap its.{lacking}"
    )
    return overview("returns", caption, final_scores(groups), bold=leading)


def score_table(
    final: Mapping[str, Mapping[str, Score]], absolute: Mapping[str, Mapping[str, Score]]
) -> Table:
    """A row per task and label; the highest mean of a task is bold."""
    header = ["task", "label", "n", "final return", "95% interval", "beside the highest"]
    header += ["absolute metric", "95% interval", "beside the highest"] * bool(absolute)
    rows: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for task, scores in final.items():
        for label, score in scores.items():
            cells = _cells(scores, label)
            if absolute:
                cells += _cells(absolute.get(task, {}), label)
            bold |= {(len(rows), 1 + i) for i, cell in enumerate(cells) if cell == "highest"}
            rows.append([task, label, str(len(score.seeds)), *cells])
    caption = (
        f"Mean over n seeds with {INTERVAL} (none below 3 seeds). Bold: the highest mean of the "
        "task. Overlaps: the interval overlaps that of the highest mean, so these seeds do not "
        "tell the two apart. Dash: unknown."
    )
    return Table("scores", caption, header, rows, frozenset(bold))


def _cells(scores: Mapping[str, Score], label: str) -> list[str]:
    if label not in scores:
        return ["-", "-", "-"]
    score = scores[label]
    ends = "-" if score.interval is None else "{:.3f} to {:.3f}".format(*score.interval)
    return [f"{score.mean:.3f}", ends, standing(scores, label)]
