"""Figures of matrices over pairs of labels and over pairs of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarl_hyper.report.output.figures import (
    COLOURS,
    GREY,
    INK,
    LONGEST_TITLE,
    WIDTH,
    grid,
    style_axes,
)
from benchmarl_hyper.report.output.text import interval, shortened
from benchmarl_hyper.report.statistics.estimators import Estimate


class Map(NamedTuple):
    """A matrix with a title: a row and a column per agent, or a row of coordinates per agent."""

    title: str
    matrix: np.ndarray


def improvement_figure(
    labels: Sequence[str], estimates: Mapping[tuple[str, str], Estimate]
) -> Figure:
    """Draw the probability that a run of the row's label beats one of the column's label.

    Args:
        labels: the labels of rows and columns.
        estimates: an estimate for each pair of labels, in one of its two orders. The probability
            for the other order is 1 minus the estimate.
    """
    n = len(labels)
    figure = Figure(figsize=(min(WIDTH, 1.8 + 1.15 * n), 0.55 * n + 1.1), layout="constrained")
    ax = figure.add_subplot()
    values, index = np.full((n, n), np.nan), {label: i for i, label in enumerate(labels)}
    for (x, y), estimate in _both_ways(estimates).items():
        row, column = index[x], index[y]
        values[row, column] = estimate.value
        text = _text(estimate)
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=INK)
    # The limits make colours pale, so that the text on them can be read
    ax.imshow(values, cmap="PuOr", vmin=-0.4, vmax=1.4, aspect="auto")
    names = [shortened(label) for label in labels]
    ax.set_xticks(range(n), names, rotation=25, ha="left", rotation_mode="anchor")
    ax.xaxis.tick_top()
    ax.set_yticks(range(n), names)
    ax.tick_params(length=0, labelsize=8.5)
    ax.spines[:].set_visible(False)
    return figure


def _both_ways(estimates: Mapping[tuple[str, str], Estimate]) -> dict[tuple[str, str], Estimate]:
    both = dict(estimates)
    for (x, y), (value, ends) in estimates.items():
        both[y, x] = Estimate(1 - value, None if ends is None else (1 - ends[1], 1 - ends[0]))
    return both


def _text(estimate: Estimate) -> str:
    lines = [f"{estimate.value:.2f}"]
    if estimate.interval is not None:
        lines.append(interval(estimate.interval, "{:.2f}".format))
    return "\n".join(lines)


def map_figure(maps: Sequence[Map], limits: tuple[float, float], colours: str, name: str) -> Figure:
    """Draw matrices over pairs of agents, with one colour scale.

    Args:
        maps: the matrices, at least one.
        limits: the values at the two ends of the colour scale.
        colours: the name of a colour map of matplotlib.
        name: the name of the quantity, which stands at the colour scale.
    """
    figure, axes = grid(len(maps), height=2.3, columns=5)
    for ax, one in zip(axes, maps, strict=True):
        image = ax.imshow(one.matrix, cmap=colours, vmin=limits[0], vmax=limits[1])
        ax.set_title(shortened(one.title, LONGEST_TITLE), fontsize=8.5, color=INK)
        ticks = np.unique(np.linspace(0, len(one.matrix) - 1, 5).round().astype(int))
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)
        ax.tick_params(labelsize=7.5, colors=GREY, length=2)
        ax.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.85, aspect=25)
    bar.set_label(shortened(name), fontsize=8.5, color=GREY)
    bar.ax.tick_params(labelsize=8, colors=GREY, length=2)
    bar.outline.set_visible(False)
    return figure


def scatter_figure(maps: Sequence[Map]) -> Figure:
    """Draw agents as numbered dots at their first two coordinates, with a panel per matrix."""
    figure, axes = grid(len(maps), height=2.6, columns=4)
    for ax, one in zip(axes, maps, strict=True):
        points = np.column_stack([one.matrix, np.zeros(len(one.matrix))])[:, :2]
        ax.scatter(points[:, 0], points[:, 1], s=90, color=COLOURS[4], alpha=0.5, lw=0)
        for agent, (x, y) in enumerate(points):
            ax.text(x, y, str(agent), ha="center", va="center", fontsize=7.5, color=INK)
        style_axes(ax, one.title, "", "")
        ax.margins(0.15)
    return figure
