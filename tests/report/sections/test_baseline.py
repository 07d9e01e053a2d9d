import re

import numpy as np
import pytest
from support.recorded_runs import own_run

from benchmarl_hyper import report
from benchmarl_hyper.report.__main__ import main
from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.sections.baseline import paired_section
from benchmarl_hyper.report.statistics.paired import paired_differences
from benchmarl_hyper.report.statistics.scores import final_scores, grouped

MOVED = [0.0, 50.0, -20.0]  # what a seed adds to all labels


def sweep(base, returns, task="games/x"):
    """A run per entry of ``{variant: {seed: return}}``."""
    for variant, by_seed in returns.items():
        for seed, value in by_seed.items():
            own_run(base, variant, seed, [[0.0], [value]], task)
    return grouped(read([base]).runs)


def test_what_seeds_move_for_all_labels_cancels(tmp_path):
    returns = {
        "nops": dict(enumerate(MOVED)),
        "fups": {seed: moved + 1 + seed for seed, moved in enumerate(MOVED)},
    }
    groups = sweep(tmp_path, returns)
    found = paired_differences(groups, "ippo_nops")["games/x"]
    assert list(found) == ["ippo_fups"]
    assert found["ippo_fups"].mean == pytest.approx(2)
    assert found["ippo_fups"].interval == pytest.approx((-0.4841, 4.4841), abs=1e-4)  # 2 -+ t/3**.5
    means = final_scores(groups)["games/x"]
    assert np.ptp(means["ippo_fups"].interval) > 10 * np.ptp(found["ippo_fups"].interval)


def test_differences_to_the_other_label_have_the_other_sign(tmp_path):
    groups = sweep(tmp_path, {"nops": {0: 1, 1: 5, 2: 3}, "fups": {0: 2, 1: 2, 2: 2}})
    forth = paired_differences(groups, "ippo_nops")["games/x"]["ippo_fups"]
    back = paired_differences(groups, "ippo_fups")["games/x"]["ippo_nops"]
    np.testing.assert_allclose(forth.seeds, -back.seeds)
    np.testing.assert_allclose(forth.interval, [-back.interval[1], -back.interval[0]])


def test_only_seeds_that_both_have_count(tmp_path):
    sweep(tmp_path, {"nops": {1: 1, 2: 2, 10: 3}, "fups": {0: 9, 2: 4, 10: 6}, "dico": {7: 1}})
    groups = sweep(tmp_path, {"fups": {0: 1}}, task="games/without_the_baseline")
    found = paired_differences(groups, "ippo_nops")
    assert list(found) == ["games/x"]
    assert list(found["games/x"]) == ["ippo_fups"]
    assert found["games/x"]["ippo_fups"].seeds.tolist() == [2, 3]
    assert found["games/x"]["ippo_fups"].interval is None


def test_a_baseline_without_runs_is_refused(tmp_path):
    sweep(tmp_path, {"nops": {0: 1}, "fups": {0: 2}})
    message = "baseline 'nops' is not a label of these runs; choose one of ippo_fups, ippo_nops"
    with pytest.raises(ValueError, match=message):
        report.write([tmp_path], baseline="nops")
    with pytest.raises(SystemExit, match=f"error: {message}"):
        main([str(tmp_path), "--baseline", "nops"])


def test_a_baseline_with_seeds_of_its_own_says_so(tmp_path):
    groups = sweep(tmp_path, {"nops": {0: 1}, "fups": {1: 2}})
    section = paired_section(groups, figures.styles(["ippo_fups", "ippo_nops"]), "ippo_nops")
    assert section.text == ["No label has a task and a seed in common with ippo_nops."]


@pytest.mark.slow
def test_the_report_has_them_where_a_baseline_is_named(tmp_path):
    seeds = range(3)
    sweep(
        tmp_path / "runs",
        {
            "nops": dict.fromkeys(seeds, 1.0),
            "fups": {seed: 2 + seed / 10 for seed in seeds},
            "dico": {seed: seed for seed in seeds},
        },
    )
    without = report.write([tmp_path / "runs"], tmp_path / "without").read_text(encoding="utf-8")
    assert "Compared with ippo_nops" not in without
    main([str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--baseline", "ippo_nops"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Compared with ippo_nops" in re.findall(r"<h2[^>]*>(.+?)</h2>", page)
    assert "--baseline ippo_nops" in page
    table = (tmp_path / "out" / "tables" / "paired_differences.md").read_text(encoding="utf-8")
    assert table.splitlines()[2:4] == [
        "| ippo_dico | 0 (-2.484 to 2.484) |",
        "| ippo_fups | **1.1 (0.8516 to 1.348)** |",
    ]
    assert "ippo_nops with the same seed: mean over n seeds with 95% Student t" in table
    assert (tmp_path / "out" / "figures" / "paired_differences.png").is_file()


def test_the_figure_marks_0(tmp_path):
    groups = sweep(tmp_path, {"nops": {0: 1}, "fups": {0: 2}})
    looks = figures.styles(["ippo_fups", "ippo_nops"])
    [picture] = paired_section(groups, looks, "ippo_nops").pictures
    [axes] = picture.draw().axes
    assert any(list(line.get_xdata()) == [0, 0] for line in axes.lines)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ippo_fups"]
