"""Over how many octaves of learning rates a variant is near its best."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from support.recorded_runs import own_run

SCRIPT = Path(__file__).parents[2] / "results" / "rates.py"
octaves = runpy.run_path(str(SCRIPT))["octaves"]


@pytest.mark.parametrize(
    ("y", "least", "expected"),
    [
        ([0, 1, 2, 1, 0], 1.5, (1, False)),
        ([0, 1, 2, 1, 0], 1.0, (2, False)),
        ([0, 1, 2, 2, 2], 2.0, (2, True)),
        ([2, 0, 2, 1, 0], 1.0, (0.5, True)),  # the first of equal ones is the best
        ([0, 0, 2, 0, 1.9], 1.8, (0.2, False)),  # what is near beyond a gap does not count
        ([5, 5, 5, 5, 5], 4.9, (4, True)),
    ],
)
def test_octaves_near_the_best_rate(y, least, expected):
    width, open_ended = octaves(2.0 ** np.arange(5), np.array(y, float), least)
    assert width == pytest.approx(expected[0], abs=0.003)
    assert open_ended == expected[1]


def test_the_table_and_the_figure(tmp_path, monkeypatch, capsys):
    for rate, final in (("0.001", 1.0), ("0.01", 3.0)):
        for seed in range(3):
            own_run(tmp_path / "runs", f"nops_lr{rate}", seed, [[0.0], [final + seed]])
    own_run(tmp_path / "runs", "other")
    words = [str(SCRIPT), str(tmp_path / "runs"), "--figure", str(tmp_path / "rates.png")]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    row = capsys.readouterr().out.splitlines()[2]
    # 5% of the range from 0 to 4 is a tenth of the way from 4 to 2
    assert row.split() == ["vmas/navigation", "ippo_nops", "0.01", "4", ">=", "0.3", "3"]
    assert (tmp_path / "rates.png").stat().st_size > 1000
