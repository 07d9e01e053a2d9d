"""Parts that sections are made of: pictures, tables, and phrases of captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output.figures import Dots, Style
from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.output.text import span
from benchmarl_hyper.report.statistics.estimators import Estimate
from benchmarl_hyper.report.statistics.scores import Groups, Score

PER_FIGURE = 24

INTERVAL = "95% Student t intervals of the mean over seeds"
# What captions say about the numbers of a table and about the marks of a figure
OVER_SEEDS = f"mean over n seeds with {INTERVAL} (no interval for fewer than 3 seeds)"
MARKS = f"Large markers: mean over seeds. Bars: {INTERVAL}. Small dots: single seeds."

T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A figure with the name of its files and its caption.

    ``draw`` makes the figure when it is written, so that a report holds one at a time.
    """

    name: str
    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class Section:
    """A section of the page: a heading, sentences, figures and tables.

    ``folded`` tables are hidden until the reader opens them. ``names_by_users`` says that names of
    its files come from names that users chose.
    """

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    folded: Sequence[Table] = ()
    names_by_users: bool = False


def pages(
    name: str, caption: str, panels: Sequence[T], draw: Callable[[Sequence[T]], Figure]
) -> Iterator[Picture]:
    """Yield one figure, or several numbered ones, with at most 24 panels each.

    Args:
        name: the name of the figure's files.
        caption: the caption, which says so where it is one of several.
        panels: what ``draw`` takes.
        draw: a function that draws a figure of some panels.
    """
    parts = [panels[i : i + PER_FIGURE] for i in range(0, len(panels), PER_FIGURE)]
    for number, part in enumerate(parts, start=1):
        if len(parts) == 1:
            yield Picture(name, caption, partial(draw, part))
        else:
            numbered = f"{caption} ({number}/{len(parts)})"
            yield Picture(f"{name}_{number}", numbered, partial(draw, part))


def protocol(groups: Groups) -> str:
    """Return the episodes and frames of runs, for captions.

    For example ``32 episodes per evaluation, 20,000,000 frames of training``.
    """
    runs = [run for labels in groups.values() for label in labels.values() for run in label]
    episodes = [len(run.evaluations[-1].metrics["return"]) for run in runs]
    frames = [run.evaluations[-1].frames for run in runs]
    return f"{span(episodes, 'episode')} per evaluation, {span(frames, 'frame')} of training"


def dots(
    name: str,
    caption: str,
    scores: Mapping[str, Mapping[str, Score]],
    looks: Mapping[str, Style],
    origin: float | None = None,
) -> Iterator[Picture]:
    """Yield figures of means with intervals and single seeds, with a panel per task.

    Args:
        name: the name of the files, which is also the name of the axis.
        caption: the caption of every figure.
        scores: scores by task and label.
        looks: a style for every label.
        origin: a value to mark with a line; None for no line.
    """
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
