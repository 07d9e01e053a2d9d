"""What a report shows of returns: figures and tables with their captions."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output.figures import Panel, Style
from benchmarl_hyper.report.output.tables import Table, leading, overview
from benchmarl_hyper.report.output.text import interval, listed
from benchmarl_hyper.report.sections.base import INTERVAL, Section, _span, dots, pages, protocol
from benchmarl_hyper.report.statistics.scores import (
    Groups,
    Score,
    absolute_scores,
    extra_metrics,
    final_scores,
    learning_curves,
    standing,
)


def curves_section(groups: Groups, looks: Mapping[str, Style]) -> Section:
    """Return along training, a panel per task."""
    lines = learning_curves(groups)
    panels = [Panel(task, "frames", "return", lines[task]) for task in lines]
    caption = (
        f"Return of evaluations during training: mean over seeds. Shaded: {INTERVAL}, at each "
        f"point by itself. n is the number of seeds; {protocol(groups)}."
    )
    without = [task for task in groups if task not in lines]
    text = [f"No evaluation that all runs share, so no curve: {listed(without)}."]
    pictures = pages(
        "learning_curves", caption, panels, lambda page: figures.curve_figure(page, looks)
    )
    return Section("Learning curves", text if without else (), list(pictures))


def extras_section(groups: Groups, looks: Mapping[str, Style]) -> Section | None:
    """Curves of the other metrics that evaluations recorded."""
    found = extra_metrics(groups)
    metrics = sorted({metric for names in found.values() for metric in names})
    panels = []
    for metric in metrics:
        lines = learning_curves(groups, metric)
        panels += [Panel(task, "frames", metric, lines[task]) for task in lines]
    if not panels:
        return None
    caption = (
        f"Other metrics of evaluations: mean over seeds. Shaded: {INTERVAL}, pointwise. n is the "
        f"number of seeds; {protocol(groups)}."
    )
    pictures = pages(
        "other_metrics", caption, panels, lambda page: figures.curve_figure(page, looks)
    )
    return Section("Other metrics", (), list(pictures))


def scores_section(groups: Groups, looks: Mapping[str, Style], unusable: int) -> Section:
    """Final returns and absolute metrics, as dots and as a table that says what it lacks."""
    final, absolute = final_scores(groups), absolute_scores(groups)
    drawn = f"mean over seeds (large), {INTERVAL} (bar), single seeds (small dots)"
    last = f"Return of the last evaluation: {drawn}; {protocol(groups)}."
    fresh = f"Absolute metric: {drawn}; {_fresh(groups)} fresh episodes after training."
    pictures = [
        *dots("final_return", last, final, looks),
        *dots("absolute_metric", fresh, absolute, looks),
    ]
    tables, every = [returns_table(groups, unusable)], [score_table(final, absolute)]
    return Section("Final and absolute returns", (), pictures, tables, every)


def _fresh(groups: Groups) -> str:
    runs = [run for labels in groups.values() for label in labels.values() for run in label]
    return _span([len(run.absolute["return"]) for run in runs if run.absolute] or [0])


def returns_table(groups: Groups, unusable: int) -> Table:
    """Final returns, a row per label and a column per task.

    Args:
        groups: runs by task and label.
        unusable: files of runs that could not be used, for the caption.
    """
    files = f"{unusable} file" + "s" * (unusable > 1)
    lacking = f" Not in it: {files} that could not be used (see report.html)." if unusable else ""
    caption = (
        f"Return of the last evaluation: mean over n seeds, and {INTERVAL} (none below 3 seeds); "
        f"{protocol(groups)}. Bold: the highest mean of the task, and those whose intervals "
        f"overlap its.{lacking}"
    )
    return overview("returns", caption, final_scores(groups), bold=leading)


def score_table(
    final: Mapping[str, Mapping[str, Score]], absolute: Mapping[str, Mapping[str, Score]]
) -> Table:
    """A row per task and label; the highest mean of a task is bold."""
    header = ["task", "label", "n", "final return", "95% interval", "beside the highest"]
    header += ["absolute metric", "95% interval", "beside the highest"] * bool(absolute)
    rows: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for task, scores in final.items():
        for label, score in scores.items():
            cells = _cells(scores, label)
            if absolute:
                cells += _cells(absolute.get(task, {}), label)
            bold |= {(len(rows), 1 + i) for i, cell in enumerate(cells) if cell == "highest"}
            rows.append([task, label, str(len(score.seeds)), *cells])
    caption = (
        f"Mean over n seeds with {INTERVAL} (none below 3 seeds). Bold: the highest mean of the "
        "task. Overlaps: the interval overlaps that of the highest mean, so these seeds do not "
        "tell the two apart. Dash: unknown."
    )
    return Table("scores", caption, header, rows, frozenset(bold))


def _cells(scores: Mapping[str, Score], label: str) -> list[str]:
    if label not in scores:
        return ["-", "-", "-"]
    score = scores[label]
    return [f"{score.mean:.3f}", interval(score.interval), standing(scores, label)]
