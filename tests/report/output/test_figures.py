import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from benchmarl_hyper.report.output import figures, images
from benchmarl_hyper.report.output import matrix_figures as matrices
from benchmarl_hyper.report.output.figures import Dots, Panel
from benchmarl_hyper.report.output.matrix_figures import Map
from benchmarl_hyper.report.statistics.estimators import Estimate
from benchmarl_hyper.report.statistics.scores import band

LOOKS = figures.styles(["a", "b"])


def panel(title="task", seeds=3, **lines):
    lines = lines or {"a": 0.0, "b": 1.0}
    values = {
        name: band([1, 2], value + np.arange(2.0 * seeds).reshape(seeds, 2))
        for name, value in lines.items()
    }
    return Panel(title, "frames", "return", values)


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_many_labels_are_told_apart():
    looks = figures.styles([str(i) for i in range(20)])
    assert len({(look.colour, look.line) for look in looks.values()}) == 20


def test_a_figure_of_many_labels_is_no_larger_than_an_image_can_be():
    figure, _ = figures.grid(24, height=0.27 * 5_000, columns=3)
    assert figure.get_figheight() <= figures.TALLEST + 1


def test_labels_keep_their_colour_and_n_is_stated():
    figure = figures.curve_figure([panel(), panel("other", seeds=4, b=0.0)], LOOKS)
    assert legend(figure) == ["a (n = 3)", "b (n = 3 to 4)"]
    first, second = figure.axes
    assert first.get_title(loc="left") == "task"
    assert to_hex(second.lines[0].get_color()) == LOOKS["b"].colour.lower()
    assert len(first.collections) == 2


def test_without_an_interval_there_is_no_shade():
    figure = figures.curve_figure([panel(seeds=2)], LOOKS)
    assert not figure.axes[0].collections


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 5, 13])
def test_figures_of_any_number_of_panels_are_saved(n):
    figure = figures.curve_figure([panel()] * n, LOOKS)
    assert len(figure.axes) == n
    assert images.png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(("n", "columns"), [(4, 2), (6, 3), (8, 4)])
def test_rows_are_full_where_they_can_be(n, columns):
    figure = figures.curve_figure([panel()] * n, LOOKS)
    assert figure.axes[-1].get_subplotspec().colspan.stop == columns


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 8])
def test_long_titles_stay_inside_the_figure(n):
    figure = figures.curve_figure([panel("hypervmas/navigation_8_different")] * n, LOOKS)
    figure.draw_without_rendering()
    for ax in figure.axes:
        (title,) = (text for text in ax.findobj(Text) if text.get_text().startswith("hypervmas"))
        assert title.get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.slow
def test_the_same_data_give_the_same_pdf():
    figure = figures.curve_figure([panel()], LOOKS)
    assert images.pdf(figure) == images.pdf(figure)
    assert images.pdf(figure).startswith(b"%PDF")


def test_rows_of_dots_stay_in_place_where_a_label_is_missing():
    estimate = Estimate(np.float64(1.0), None)
    full = Dots(
        "x", "final return", {"a": Estimate(1.0, (0.0, 2.0)), "b": estimate}, {"a": np.ones(3)}
    )
    figure = figures.dot_figure([full, Dots("y", "final return", {"b": estimate}, {})], LOOKS)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["a", "b"]
    assert [line.get_ydata()[0] for line in right.lines if len(line.get_ydata())] == [1]
    assert images.png(figure)


def test_bars_are_as_long_as_intervals():
    rows = {"a": Estimate(np.float64(1), (np.float64(0), np.float64(2)))}
    figure = figures.dot_figure([Dots("", "", rows, {})], LOOKS)
    (bar,) = (line for line in figure.axes[0].lines if line.get_linewidth() == 5)
    assert list(bar.get_xdata()) == [0, 2]
    assert bar.get_solid_capstyle() == "butt"  # else it is drawn longer than it is


def test_improvement_of_the_reverse_pair_is_the_rest():
    figure = matrices.improvement_figure(["a", "b"], {("a", "b"): Estimate(0.75, (0.5, 1.0))})
    texts = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert texts == {(1, 0): "0.75\n0.50 to 1.00", (0, 1): "0.25\n0.00 to 0.50"}
    bare = matrices.improvement_figure(["a", "b"], {("a", "b"): Estimate(0.75, None)})
    assert {text.get_text() for text in bare.axes[0].texts} == {"0.75", "0.25"}


@pytest.mark.parametrize("agents", [1, 3, 30])
def test_matrices_of_agents(agents):
    maps = [Map("a", np.eye(agents)), Map("b", np.full((agents, agents), np.nan))]
    figure = matrices.map_figure(maps, (0, 1), "viridis", "distance")
    assert images.png(figure)
    assert figure.axes[-1].get_ylabel() == "distance"
    points = [Map("a", np.zeros((agents, 2))), Map("b", np.zeros((agents, 1)))]
    assert len(matrices.scatter_figure(points).axes[0].texts) == agents
