"""Figures of lines and of estimates, as matplotlib figures that need no window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from benchmarl_hyper.report.output.text import shortened, span
from benchmarl_hyper.report.statistics.estimators import Estimate
from benchmarl_hyper.report.statistics.scores import Band

# Okabe and Ito's colours, which can be distinguished with any colour vision. Their yellow is left
# out, because it is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, GREY, FAINT = "#222222", "#666666", "#e6e6e6"
WIDTH = 10.0
LONGEST_TITLE, TALLEST = 80, 100.0
# A line with at most this many points has markers
FEW_POINTS = 15


class Style(NamedTuple):
    """The look of a label in every figure."""

    colour: str
    line: str
    marker: str


class Panel(NamedTuple):
    """The lines that share one pair of axes, by label."""

    title: str
    x: str
    y: str
    lines: Mapping[str, Band]


class Dots(NamedTuple):
    """A panel with a row per label: its estimate, and single seeds if ``seeds`` has them.

    ``origin`` is a value to compare with, which a line marks.
    """

    title: str
    x: str
    rows: Mapping[str, Estimate]
    seeds: Mapping[str, np.ndarray]
    origin: float | None = None


def styles(labels: Sequence[str]) -> dict[str, Style]:
    """Return a style for each label.

    Colours change first and lines second, so that up to 28 labels have different styles.
    """
    return {
        label: Style(
            COLOURS[i % len(COLOURS)],
            LINES[i // len(COLOURS) % len(LINES)],
            MARKERS[i % len(MARKERS)],
        )
        for i, label in enumerate(labels)
    }


def curve_figure(
    panels: Sequence[Panel], looks: Mapping[str, Style], columns: int | None = None
) -> Figure:
    """Draw lines with shaded intervals in panels, and one legend that states n.

    Args:
        panels: the panels, at least one.
        looks: a style for every label, in the order of the legend.
        columns: the number of panels in a row; None to choose it.
    """
    columns = columns or _columns(len(panels))
    figure, axes = grid(len(panels), height=2.5, columns=columns)
    size = _title_size([panel.title for panel in panels], columns)
    counts: dict[str, set[int]] = {}
    for ax, panel in zip(axes, panels, strict=True):
        style_axes(ax, panel.title, panel.x, panel.y, size)
        for label, line in panel.lines.items():
            _draw(ax, line, looks[label])
            counts.setdefault(label, set()).add(line.n)
        if panel.x == "frames":
            ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.xaxis.set_major_locator(MaxNLocator(5))
    names = {
        label: f"{shortened(label)} (n = {span(sorted(counts[label]))})"
        for label in looks
        if label in counts
    }
    _legend(figure, names, looks)
    return figure


def _draw(ax: Axes, line: Band, look: Style) -> None:
    marker = look.marker if len(line.x) <= FEW_POINTS else ""
    ax.plot(line.x, line.y, look.line, color=look.colour, marker=marker, ms=3.5, lw=1.7)
    if line.low is not None and line.high is not None:
        ax.fill_between(line.x, line.low, line.high, color=look.colour, alpha=0.15, lw=0)


def dot_figure(
    panels: Sequence[Dots], looks: Mapping[str, Style], columns: int | None = None
) -> Figure:
    """Draw estimates with their intervals in panels, and single seeds as small dots below them.

    Args:
        panels: the panels, at least one.
        looks: a style for every label, in the order of the rows.
        columns: the number of panels in a row; None to choose it.
    """
    labels = [label for label in looks if any(label in panel.rows for panel in panels)]
    columns = columns or _columns(len(panels))
    figure, axes = grid(len(panels), 0.75 + 0.27 * len(labels), columns)
    size = _title_size([panel.title for panel in panels], columns)
    for index, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        style_axes(ax, panel.title, panel.x, "", size)
        if panel.origin is not None:
            ax.axvline(panel.origin, color=GREY, lw=1)
        for row, label in enumerate(labels):
            if label not in panel.rows:
                continue
            look, estimate = looks[label], panel.rows[label]
            seeds = panel.seeds.get(label, np.empty(0))
            ax.plot(seeds, np.full(len(seeds), row + 0.25), ".", color=look.colour, ms=4, alpha=0.5)
            if estimate.interval is not None:
                (bar,) = ax.plot(estimate.interval, (row, row), color=look.colour, lw=5, alpha=0.35)
                bar.set_solid_capstyle("butt")  # other caps lengthen the bar
            ax.plot(estimate.value, row, look.marker, color=look.colour, ms=6)
        names = [] if index % columns else [shortened(label) for label in labels]
        ax.set_yticks(range(len(labels)), names)
        ax.set_ylim(len(labels) - 0.4, -0.6)
        ax.xaxis.set_major_locator(MaxNLocator(4))
    return figure


def _columns(n: int) -> int:
    return {4: 2, 8: 4}.get(n, 3 if n <= 12 else 4)  # 4 and 8 panels fill their rows


def grid(n: int, height: float, columns: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with empty panels, and their axes.

    A single panel is narrower and at least 3.4 inches high.

    Args:
        n: the number of panels.
        height: the height of a row of panels in inches.
        columns: the largest number of panels in a row.
    """
    columns = min(n, columns)
    rows = -(-n // columns)
    height = min(height, TALLEST / rows)  # a label more is a line more, and images have an end
    size = (WIDTH, height * rows + 0.6) if columns > 1 else (0.7 * WIDTH, max(3.4, height + 0.6))
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.09, h_pad=0.07)  # type: ignore[union-attr, call-arg]
    return figure, [figure.add_subplot(rows, columns, index + 1) for index in range(n)]


def _title_size(titles: Sequence[str], columns: int) -> float:
    """Return the size of titles in points: 9.5, or less if the longest one needs it to fit."""
    longest = max(len(shortened(title, LONGEST_TITLE)) for title in titles)
    return min(9.5, 1.4 * 72 * WIDTH / min(columns, len(titles)) / max(longest, 1))


def style_axes(ax: Axes, title: str, x: str, y: str, title_size: float = 9.5) -> None:
    """Give axes the look that all figures share: few lines, and grey for what is not data."""
    ax.set_title(shortened(title, LONGEST_TITLE), fontsize=title_size, color=INK, loc="left")
    ax.set_xlabel(shortened(x), fontsize=8.5, color=GREY)
    ax.set_ylabel(shortened(y), fontsize=8.5, color=GREY)
    ax.tick_params(labelsize=8, colors=GREY, labelcolor=INK, length=2)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#aaaaaa")
    ax.grid(color=FAINT, lw=0.7)
    ax.set_axisbelow(True)


def _legend(figure: Figure, names: Mapping[str, str], looks: Mapping[str, Style]) -> None:
    handles = [
        Line2D([], [], color=look.colour, ls=look.line, marker=look.marker, ms=4)
        for look in (looks[label] for label in names)
    ]
    fitting = int(figure.get_figwidth() * 12 / max(map(len, names.values())))
    legend = figure.legend(
        handles,
        [str(i) for i in range(len(names))],  # matplotlib drops a label that begins with _
        loc="outside upper center",
        ncols=max(1, min(len(names), fitting, 4)),
        frameon=False,
        fontsize=8.5,
    )
    for text, name in zip(legend.get_texts(), names.values(), strict=True):
        text.set_text(name)
