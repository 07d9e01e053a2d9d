import json

import numpy as np
from support.recorded_runs import diagnostic as line
from support.recorded_runs import groups_of, own_run

from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.statistics.diagnostics import (
    last_matrices,
    scalar_curves,
    scalar_summaries,
)
from benchmarl_hyper.report.statistics.scores import grouped


def test_a_later_evaluation_of_the_finished_run_changes_nothing(tmp_path):
    """It adds to results and diagnostics at the frames of the last evaluation."""
    lines = [line(100, "snd", value=1.0), line(100, "snd", matrix=[[None]])]
    again = [line(100, "snd", value=2.0), line(100, "snd", matrix=[[1.0]])]
    folder = own_run(tmp_path, returns=[[5.0]], diagnostics=lines + again)
    (file,) = folder.glob("*/*.json")
    results = json.loads(file.read_text(encoding="utf-8"))
    steps = results["vmas"]["navigation"]["ippo_nops"]["seed_0"]
    steps["step_1"] = {"step_count": 100, "agents_return": [7.0], "return": [7.0]}
    file.write_text(json.dumps(results), encoding="utf-8")
    found = read([tmp_path])
    assert found.dropped == []
    assert found.runs[0].final_return == 5.0
    groups, where = grouped(found.runs), ("vmas/navigation", ("agents", "snd"))
    assert list(scalar_curves(groups)[where]["ippo_nops"].y) == [1.0]
    assert np.isnan(last_matrices(groups)[where]["ippo_nops"]).all()


def test_recorded_curves_are_where_all_seeds_are_finite(tmp_path):
    for seed in range(3):
        values = [
            line(f, "snd", value=None if (f, seed) == (200, 1) else f + seed) for f in (100, 200)
        ]
        own_run(tmp_path, "nops", seed, diagnostics=values)
    own_run(tmp_path, "nops", 3)
    found = scalar_curves(groups_of(tmp_path))
    band = found["vmas/navigation", ("agents", "snd")]["ippo_nops"]
    assert (list(band.x), list(band.y), band.n) == ([100], [101.0], 3)


def test_a_quantity_is_its_last_finite_value_and_the_mean_of_all(tmp_path):
    for seed, last in enumerate((3.0, None, 5.0, 7.0)):
        values = [line(300, "snd", value=last), line(100, "snd", value=1.0)]
        own_run(tmp_path, "nops", seed, diagnostics=values)
    own_run(tmp_path, "nops", 4, diagnostics=[line(100, "snd", value=None)])
    own_run(tmp_path, "nops", 5)
    found = scalar_summaries(groups_of(tmp_path))
    ((where, both),) = found.items()
    assert where == ("vmas/navigation", "ippo_nops", ("agents", "snd"))
    assert list(both.last.seeds) == [3.0, 1.0, 5.0, 7.0]
    assert list(both.mean.seeds) == [2.0, 1.0, 3.0, 4.0]
    assert both.last.interval[0] < both.last.mean == 4.0


def test_matrices_are_the_last_of_the_first_seed(tmp_path):
    for seed in range(2):
        values = [line(f, "snd", matrix=[[f + seed]]) for f in (200, 100)]
        own_run(tmp_path, "nops", seed, diagnostics=values)
    last = last_matrices(groups_of(tmp_path))
    assert last["vmas/navigation", ("agents", "snd")]["ippo_nops"] == 200
