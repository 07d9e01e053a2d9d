"""Figures as files, whatever runs are called."""

from functools import partial

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from benchmarl_hyper.report.output import figures, images
from benchmarl_hyper.report.output.figures import Dots, Panel
from benchmarl_hyper.report.output.matrix_figures import (
    Map,
    improvement_figure,
    map_figure,
    scatter_figure,
)
from benchmarl_hyper.report.output.text import shortened
from benchmarl_hyper.report.statistics.estimators import Estimate
from benchmarl_hyper.report.statistics.scores import band

NAMES = {
    "mathematics": "$x^2_$ \\frac{1}{",
    "one dollar": "cost_$",
    "hidden": "_x",
    "LaTeX": "\\undefined{%#&~}",
    "empty": "",
    "long": "ippo_" + "x" * 195,
    "unicode": "漢字 ä \N{ROCKET} \N{ARABIC LETTER BEH}",
    "markup": "<b>&amp;</b>",
}


def drawn(name, scale):
    """A figure of each kind with a name wherever there is one."""
    looks = figures.styles([name, "b"])
    line = band([1, 2], scale * np.arange(6.0).reshape(3, 2))
    estimate = Estimate(np.float64(scale), (np.float64(0), np.float64(2 * scale)))
    matrix = scale * np.eye(3)
    return {
        "curves": partial(
            figures.curve_figure, [Panel(name, "frames", name, {name: line})] * 4, looks
        ),
        "dots": partial(figures.dot_figure, [Dots(name, name, {name: estimate}, {})] * 4, looks),
        "pairs": partial(improvement_figure, [name, "b"], {(name, "b"): Estimate(0.5, (0, 1))}),
        "maps": partial(map_figure, [Map(name, matrix)] * 2, (0, scale), "viridis", name),
        "points": partial(scatter_figure, [Map(name, matrix)] * 2),
    }


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_are_drawn_as_they_are(name):
    """The layout parses every text, and so finds what would be read as mathematics."""
    shown = {shortened(name), shortened(name, figures.LONGEST_TITLE)}
    with matplotlib.rc_context(images.SETTINGS), images.quiet():
        for kind, draw in drawn(name, 1.0).items():
            figure = draw()
            if kind in ("curves", "pairs"):
                figure.draw_without_rendering()
            texts = {text.get_text() for text in figure.findobj(Text)}
            assert any(one in text for one in shown for text in texts)
            assert max(map(len, texts)) < 100


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-300, 1e30, 1e100])
@pytest.mark.parametrize("kind", drawn("", 1.0))
def test_figures_of_tiny_and_huge_numbers_are_saved(kind, scale):
    assert images.images(drawn("a", scale)[kind]).pdf.startswith(b"%PDF")


@pytest.mark.parametrize("kind", ["curves", "maps"])
def test_a_figure_becomes_two_files(kind):
    made = images.images(drawn(NAMES["mathematics"], 1.0)[kind])
    assert made.png.startswith(b"\x89PNG")
    assert made.pdf.startswith(b"%PDF")
    assert made.width == figures.WIDTH
    palette = made.png[25] == 3  # of the colour types of PNG
    assert palette == (kind == "curves")
    assert matplotlib.rcParams["text.parse_math"] is True
