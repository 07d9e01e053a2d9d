"""The bar of a run: the last evaluation's return, and none in a sweep."""

import io

import pytest
from benchmarl.experiment import experiment
from tqdm import tqdm

from benchmarl_hyper.running import bars


def drawn(shown, *returns):
    stream = io.StringIO()
    with bars.run_bars(stream, shown), experiment.tqdm(total=4) as bar:
        for seed, value in enumerate(returns):
            bars.tell(seed, value)
        bar.set_description("mean return = nan", refresh=False)
        bar.refresh()
    return stream.getvalue()


@pytest.mark.parametrize(("returns", "text"), [((0.5,), "return 0.5"), ((1, 2), "return 1.5")])
def test_it_shows_the_mean_return_of_the_last_evaluation(returns, text):
    assert text in drawn(True, *returns)
    assert "nan" not in drawn(True, *returns)


def test_before_an_evaluation_it_shows_how_far_the_run_is():
    shown = drawn(True)
    assert "0/4" in shown
    assert "return" not in shown


def test_a_sweep_has_no_bars():
    assert drawn(False, 1.0) == ""


def test_returns_of_an_earlier_run_are_forgotten():
    drawn(True, 7)
    assert "7" not in drawn(True).partition("0/4")[0]


def test_elsewhere_bars_are_as_before():
    with experiment.tqdm(total=4, file=io.StringIO()) as bar:
        assert type(bar) is tqdm
