"""One bad run never costs the others, and what is read can be reported."""

import json
import math

import pytest
from support.corruptions import CORRUPTIONS
from support.recorded_runs import diagnostic, own_run

from benchmarl_hyper.report import page
from benchmarl_hyper.report.comparability import common, differences, warnings
from benchmarl_hyper.report.output.images import Images
from benchmarl_hyper.report.output.marl_eval import marl_eval
from benchmarl_hyper.report.output.places import Places
from benchmarl_hyper.report.output.tables import to_csv, to_latex, to_markdown
from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.sections.appendix import appendix_section, cost_section
from benchmarl_hyper.report.sections.diagnostics import measurements_section
from benchmarl_hyper.report.sections.returns import curves_section, extras_section, scores_section
from benchmarl_hyper.report.sections.summary import headline, summary_of
from benchmarl_hyper.report.statistics.across_tasks import aggregate
from benchmarl_hyper.report.statistics.scores import grouped

LINES = [diagnostic(100, "snd", value=1.0), diagnostic(100, "snd", matrix=[[0.0, 1.0]])]
# What leaves the run in the report, because it is no error or costs a part alone
HARMLESS = ("diagnostics.jsonl", "line ", "record ", "settings keys", "settings types", "time is t")


def runs(base):
    """Two good runs, and one whose folder is returned."""
    for seed in range(2):
        own_run(base, "nops", seed, [[0.0, 1.0], [1.0, 2.0 + seed]], absolute=[1.0])
    return own_run(base, "fups", 0, [[0.0, 1.0], [1.0, 2.0]], absolute=[1.0], diagnostics=LINES)


def reported(results):
    """Everything that a report computes and writes, without figures; what it says of runs."""
    groups, found = grouped(results.runs), differences(results.runs)
    looks = dict.fromkeys({run.label for run in results.runs})
    sections = [
        curves_section(groups, looks),
        scores_section(groups, looks, 0),
        measurements_section(groups, looks),
        extras_section(groups, looks),
        cost_section(groups, Places()),
        appendix_section(results, groups, found, "", Places()),
    ]
    for table in (table for one in sections if one for table in (*one.tables, *one.folded)):
        assert to_csv(table.header, table.rows).encode()
        assert to_latex(table).encode()
        assert to_markdown(table).encode()
    assert json.dumps(marl_eval(groups))
    assert common(results.runs) is not None
    assert headline(results, groups)
    return "\n".join([summary_of(results), *warnings(groups, found)])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_broken_run_costs_at_most_itself(tmp_path, name):
    folder = runs(tmp_path)
    CORRUPTIONS[name](folder)
    results = read([tmp_path])
    labels = [run.label for run in results.runs]
    assert labels.count("ippo_nops") == 2
    if len(labels) == 2:
        (dropped,) = results.dropped
        assert str(folder) in str(dropped.place)
        assert 0 < len(dropped.reason) < 500
    else:
        assert name.startswith(HARMLESS) or "config.yaml" in name or not results.dropped
    assert all(math.isfinite(run.final_return) for run in results.runs)
    assert reported(results)


def test_there_are_many_ways():
    assert len(CORRUPTIONS) >= 300


def test_statistics_of_the_largest_numbers_are_finite(tmp_path):
    for seed in range(3):
        for variant in ("nops", "fups"):
            own_run(tmp_path, variant, seed, [[0.0], [(-1e100) ** (seed % 2) * 1e99]])
    results = read([tmp_path])
    found = aggregate(grouped(results.runs))
    assert all(
        math.isfinite(estimate.value)
        for of_label in found.statistics.values()
        for estimate in of_label.values()
    )
    assert "1e+99" in reported(results)


@pytest.mark.parametrize(
    "name",
    ["run.json is deep", "ippo_*.json cut at 0.7", "line path", "line large", "RETURN 1e400"],
)
def test_a_page_is_written_with_a_broken_run(tmp_path, monkeypatch, name):
    drawn = name == "line large"  # the others have the figures of the good runs
    if not drawn:
        monkeypatch.setattr(page, "images", lambda draw: Images(b"", b"", 1.0))
    folder = runs(tmp_path)
    CORRUPTIONS[name](folder)
    text = page.write([tmp_path], tmp_path / "out").read_text(encoding="utf-8")
    used = name.startswith("line")
    assert f"<b>{2 + used}</b><span>finished runs" in text
    assert ("1 file could not be used" in text) == (not used)
    assert {path.parents[1] for path in tmp_path.rglob("*.png")} == {tmp_path / "out"}
