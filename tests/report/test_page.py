import re

import pytest
from support.recorded_runs import benchmarl_run, config, own_run

from benchmarl_hyper import report
from benchmarl_hyper.report import page as page_module
from benchmarl_hyper.report.__main__ import main
from benchmarl_hyper.report.output.images import Images
from benchmarl_hyper.report.reading.bounds import read_bounds
from benchmarl_hyper.report.statistics.scores import score, standing


def suite(base, tasks=("vmas/navigation", "games/x"), seeds=3, measured=False):
    diagnostics = [
        {"frames": 100, "group": "agents", "name": name, "value": 0.5}
        for name in ("snd_js", "gradient_conflict")
    ]
    diagnostics += [
        {"frames": 100, "group": "agents", "name": name, "matrix": [[0.0, 1.0], [1.0, 0.0]]}
        for name in ("snd_js", "gradient_cosine", "embedding_projection")
    ]
    for task in tasks:
        for i, variant in enumerate(["nops", "fups"]):
            for seed in range(seeds):
                value = i + seed / 10
                own_run(
                    base,
                    variant,
                    seed,
                    [[0.0, 0.0], [value, value]],
                    task,
                    absolute=[value] * 20,
                    extra={"agents_won": [[0.0], [1.0]]} if measured else None,
                    diagnostics=diagnostics if measured else None,
                )


@pytest.fixture
def nothing_drawn(monkeypatch):
    """For what is said in words and tables."""
    monkeypatch.setattr(page_module, "images", lambda draw: Images(b"", b"", 1.0))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report of ours with two runs that cannot be used, and of BenchMARL's."""
    base = tmp_path_factory.mktemp("runs")
    suite(base, measured=True)
    own_run(base, "hypermarl_mlp", 0, status="failed", error="Traceback\nValueError: <no>")
    for seed in range(3):
        benchmarl_run(
            base / "host" / str(seed), seed, [[0.0], [0.3]], config(seed, model="mlp", lr=9.0)
        )
    return report.write([base])


def test_the_page_is_one_file_without_network(written):
    page = written.read_text(encoding="utf-8")
    assert written.name == "report.html"
    sources = re.findall(r'(?:src|href)="([^"]{0,20})', page)
    assert sources
    assert all(source.startswith(("data:image/png", "#part")) for source in sources)
    assert not re.search(r"<script|<link|@import|url\(", page)


def test_the_page_shows_every_part_in_order(written):
    titles = re.findall(r"<h2[^>]*>(.+?)</h2>", written.read_text(encoding="utf-8"))
    assert titles == [
        "Learning curves",
        "Final and absolute returns",
        "All tasks together",
        "What sharing does",
        "Other metrics",
        "Cost",
        "Appendix",
    ]


def test_the_page_says_what_to_know_first(written):
    page = " ".join(written.read_text(encoding="utf-8").split())
    assert "Comparison of 3 labels on 2 tasks" in page
    assert "ippo_mlp_shared" in page
    assert "in experiment.lr (vmas/navigation)" in page
    assert "1 file could not be used" in page
    assert "ValueError: &lt;no&gt;" in page
    assert "Left out: label ippo_mlp_shared, which has no runs on some tasks." in page
    assert f"python -m benchmarl_hyper.report {written.parents[1].name}<" in page


def test_captions_state_n_intervals_episodes_and_frames(written):
    captions = re.findall(r"<figcaption>(.+?)<span", written.read_text(encoding="utf-8"), re.DOTALL)
    assert all("95%" in text or "n = 1" in text for text in captions)
    assert "n is the number of seeds; 1 to 2 episodes per evaluation, 200 frames" in captions[0]
    assert "20 fresh episodes" in captions[2]


def test_figures_and_tables_are_beside_the_page(written):
    page = written.read_text(encoding="utf-8")
    figures = {path.stem for path in (written.parent / "figures").glob("*.pdf")}
    assert {"learning_curves", "snd_js", "gradient_conflict"} <= figures  # several tasks
    assert figures == {path.stem for path in (written.parent / "figures").glob("*.png")}
    assert figures == set(re.findall(r"figures/(\w+)\.pdf", page))
    tables = re.findall(r"tables/(\w+)\.csv, \.tex, \.md", page)
    assert {"returns", "scores", "snd_js", "gradient_conflict", "measurements"} <= set(tables)
    for name in tables:
        for ending in ("csv", "tex", "md"):
            assert (written.parent / "tables" / f"{name}.{ending}").is_file()
    measured = (written.parent / "tables" / "measurements.csv").read_text(encoding="utf-8")
    assert 'games/x,ippo_fups,"SND, Jensen-Shannon",3,0.5,0.5 to 0.5,0.5,0.5 to 0.5' in measured
    rows = (written.parent / "tables" / "per_run.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 12 + 3
    assert (written.parent / "marl_eval.json").is_file()


@pytest.mark.usefixtures("nothing_drawn")
def test_the_table_of_returns_says_that_runs_are_not_in_it(written, tmp_path):
    table = (written.parent / "tables" / "returns.md").read_text(encoding="utf-8")
    assert "hypermarl_mlp" not in table
    assert table.rstrip().endswith("Not included: 1 file that could not be used (see report.html).")
    own_run(tmp_path, returns=[[1.0]])
    report.write([tmp_path])
    assert "Not included" not in (tmp_path / "report" / "tables" / "returns.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_drawn")
def test_a_report_of_a_folder_with_a_report_is_the_same(written, tmp_path):
    """With the same numbers; tests/report/output/test_figures.py has that figures follow."""
    again = report.write([written.parents[1]], tmp_path / "again")
    for name in ("tables/scores.csv", "tables/aggregates.csv", "tables/measurements.csv"):
        assert (again.parent / name).read_bytes() == (written.parent / name).read_bytes()


def test_one_run_is_enough(tmp_path):
    own_run(tmp_path, returns=[[1.0]])
    page = report.write([tmp_path], tmp_path / "out").read_text(encoding="utf-8")
    assert "No interval, because there are fewer than 3 seeds" in page
    assert "No task has both runs of all labels and scores that differ." in page
    assert "What sharing does" not in page


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_drawn")
def test_one_task_says_so(tmp_path):
    suite(tmp_path, tasks=["vmas/navigation"], measured=True)
    page = report.write([tmp_path]).read_text(encoding="utf-8")
    assert {"diversity", "gradients"} <= set(re.findall(r"figures/(\w+)\.pdf", page))
    assert "There is one task" in page
    assert "Labels have the same seeds" in page


def test_summary_has_a_line_per_task_and_label(tmp_path):
    for seed, value in enumerate([1.0, 2.0, 3.0]):
        own_run(tmp_path, "nops", seed, [[value]], absolute=[value])
    own_run(tmp_path, "fups", 0, [[-1.25]])
    failed = own_run(tmp_path, "fups", 1, status="failed")
    lines = [" ".join(line.split()) for line in report.summary([tmp_path]).splitlines()]
    assert lines[0].endswith("range absolute metric")
    assert lines[2] == "vmas/navigation ippo_fups 1 -1.250 - -1.250 to -1.250 -"
    assert lines[3] == "vmas/navigation ippo_nops 3 2.000 -0.484 to 4.484 1.000 to 3.000 2.000"
    assert lines[-1].startswith(f"Dropped {failed}/run.json: status is 'failed'")


def test_how_labels_stand_in_words(tmp_path):
    for seed in range(3):
        own_run(tmp_path, "nops", seed, returns=[[2.0 + seed / 100]] * 2)
        own_run(tmp_path, "fups", seed, returns=[[1.0 + seed / 100]] * 2)
    assert report.in_words([tmp_path]) == (
        "On vmas/navigation, ippo_nops has the highest mean final return, 2.010. "
        "95% intervals below its interval: ippo_fups."
    )


def test_summary_has_no_absolute_column_where_nothing_was_re_evaluated(tmp_path):
    own_run(tmp_path)
    assert "absolute" not in report.summary([tmp_path])


@pytest.mark.parametrize(
    ("label", "where"), [("a", "highest"), ("b", "overlaps"), ("c", "below"), ("d", "-")]
)
def test_labels_beside_the_highest(label, where):
    scores = {"a": [10, 11, 12], "b": [9, 10, 11], "c": [0, 1, 2], "d": [9, 9]}
    assert standing({name: score(values) for name, values in scores.items()}, label) == where


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_drawn")
def test_bounds_are_read_and_those_without_runs_are_named(tmp_path):
    suite(tmp_path)
    file = tmp_path / "bounds.yaml"
    file.write_text("games/x: [0, 10]\nother: [0, 1]\n", encoding="utf-8")
    assert read_bounds(file) == {"games/x": (0.0, 10.0), "other": (0.0, 1.0)}
    page = report.write([tmp_path], bounds=file).read_text(encoding="utf-8")
    assert "Bounds of other are not used, because there are no runs on it." in page
    assert "For games/x, the returns that count as 0 and 1 were given." in page


@pytest.mark.parametrize(
    "text", ["[1, 2]", "a/b: 3", "a/b: [1]", "a/b: [x, 2]", "a/b: [2, 1]", "a/b: [0, .inf]", ""]
)
def test_bounds_of_another_form_are_refused(tmp_path, text):
    file = tmp_path / "bounds.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"bounds .*; write a line per task"):
        read_bounds(file)


def test_bounds_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"bounds cannot be read from .*absent"):
        read_bounds(tmp_path / "absent.yaml")


@pytest.mark.slow
def test_command_line_prints_the_table_and_where_the_report_is(tmp_path, capsys):
    own_run(tmp_path / "a", "nops")
    own_run(tmp_path / "b", "fups")
    main([str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "ippo_nops" in printed
    assert "ippo_fups" in printed
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in printed


def test_command_line_tells_errors_in_a_line(tmp_path):
    with pytest.raises(SystemExit, match=f"^error: no runs in {tmp_path}"):
        main([str(tmp_path)])
