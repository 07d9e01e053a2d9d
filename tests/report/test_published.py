"""What docs/results/comparison.md says is what the recorded runs say."""

import re
import runpy
import shutil
from pathlib import Path

import pytest

from benchmarl_hyper.report import page
from benchmarl_hyper.report.output.images import Images

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TABLES = runpy.run_path(str(ROOT / "results" / "tables.py"))
filled = TABLES["filled"]


@pytest.fixture
def results(monkeypatch):
    """The recorded runs, and nothing drawn."""
    monkeypatch.setattr(page, "images", lambda draw: Images(b"", b"", 1.0))
    return ROOT / "results"


def test_every_published_table_is_what_the_report_makes_of_the_recorded_runs(results, tmp_path):
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    page = docs / "results" / "comparison.md"
    assert filled(page, tmp_path / "out", results) == page.read_text(encoding="utf-8")


def test_a_table_that_says_something_else_is_written_anew(results, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- returns of dispersion.tar.xz -->\n| nops | 21 |\n<!-- end -->\nb\n",
        encoding="utf-8",
    )
    text = filled(page, tmp_path / "out", results)
    assert "| nops | 21 |" not in text
    assert re.search(r"\| ippo_paper_nops \| .*\d", text)
    assert "`python -m benchmarl_hyper.report results/dispersion.tar.xz`" in text
    page.write_text(text, encoding="utf-8")
    assert filled(page, tmp_path / "out", results) == text


def test_every_archive_is_in_the_page():
    page = (ROOT / "docs" / "results" / "comparison.md").read_text(encoding="utf-8")
    for archive in (ROOT / "results").glob("*.tar.xz"):
        assert f" {archive.name} " in page


def test_two_baselines_of_the_same_runs_are_refused(tmp_path):
    page = tmp_path / "page.md"
    block = "<!-- paired_differences to {} of a.tar.xz -->\n<!-- end -->\n"
    page.write_text(block.format("x") + block.format("y"), encoding="utf-8")
    with pytest.raises(ValueError, match="are x and y, but a report has one"):
        filled(page, tmp_path / "out")


def test_every_comment_in_the_page_is_understood():
    page = (ROOT / "docs" / "results" / "comparison.md").read_text(encoding="utf-8")
    tables, figures = (len(TABLES[name].findall(page)) for name in ("TABLE", "FIGURE"))
    assert page.count("<!--") == 2 * tables + figures  # a table ends with one
