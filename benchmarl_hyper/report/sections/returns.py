"""The sections on returns and on other metrics of evaluations."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output.figures import Panel, Style
from benchmarl_hyper.report.output.tables import Table, leading, overview
from benchmarl_hyper.report.output.text import count, interval, listed, number, span
from benchmarl_hyper.report.sections.base import (
    INTERVAL,
    MARKS,
    OVER_SEEDS,
    Section,
    dots,
    pages,
    protocol,
)
from benchmarl_hyper.report.statistics.scores import (
    Groups,
    Score,
    absolute_scores,
    extra_metrics,
    final_scores,
    learning_curves,
    standing,
)

MOST_METRICS = 40


def curves_section(groups: Groups, looks: Mapping[str, Style]) -> Section:
    """Show the evaluation return during training, with a panel per task."""
    lines = learning_curves(groups)
    panels = [Panel(task, "frames", "return", lines[task]) for task in lines]
    caption = (
        f"Evaluation return during training: mean over seeds. Shaded: pointwise {INTERVAL}. "
        f"n is the number of seeds; {protocol(groups)}."
    )
    without = [task for task in groups if task not in lines]
    text = [f"No curve, because no evaluation point is common to all runs: {listed(without)}."]
    pictures = pages(
        "learning_curves", caption, panels, lambda page: figures.curve_figure(page, looks)
    )
    return Section("Learning curves", text if without else (), list(pictures))


def extras_section(groups: Groups, looks: Mapping[str, Style]) -> Section | None:
    """Show the other metrics that evaluations recorded; None if there are none."""
    found = extra_metrics(groups)
    metrics = sorted({metric for names in found.values() for metric in names})
    panels = []
    for metric in metrics[:MOST_METRICS]:
        lines = learning_curves(groups, metric)
        panels += [Panel(task, "frames", metric, lines[task]) for task in lines]
    if not panels:
        return None
    caption = (
        f"Other metrics of evaluations during training: mean over seeds. Shaded: pointwise "
        f"{INTERVAL}. n is the number of seeds; {protocol(groups)}."
    )
    pictures = pages(
        "other_metrics", caption, panels, lambda page: figures.curve_figure(page, looks)
    )
    without = metrics[MOST_METRICS:]
    text = [f"Without a figure: {listed(without)}."] if without else []
    return Section("Other metrics", text, list(pictures))


def scores_section(groups: Groups, looks: Mapping[str, Style], unusable: int) -> Section:
    """Show final returns and absolute metrics, as figures and as tables.

    Args:
        groups: runs by task and label.
        looks: a style for every label.
        unusable: the number of files of runs that could not be used.
    """
    final, absolute = final_scores(groups), absolute_scores(groups)
    last = f"Return of the last evaluation; {protocol(groups)}. {MARKS}"
    fresh = f"Absolute metric: return of {_fresh(groups)} after training. {MARKS}"
    pictures = [
        *dots("final_return", last, final, looks),
        *dots("absolute_metric", fresh, absolute, looks),
    ]
    tables, every = [returns_table(groups, unusable)], [score_table(final, absolute)]
    return Section("Final and absolute returns", (), pictures, tables, every)


def _fresh(groups: Groups) -> str:
    runs = [run for labels in groups.values() for label in labels.values() for run in label]
    counts = [len(run.absolute["return"]) for run in runs if run.absolute]
    return span(counts or [0], "fresh episode")


def returns_table(groups: Groups, unusable: int) -> Table:
    """Return the table of final returns, with a row per label and a column per task.

    Args:
        groups: runs by task and label.
        unusable: the number of files of runs that could not be used, which the caption states.
    """
    lacking = f" Not included: {count(unusable, 'file')} that could not be used (see report.html)."
    caption = (
        f"Return of the last evaluation: {OVER_SEEDS}; {protocol(groups)}. Bold: the highest mean "
        "of the task, and every mean whose interval overlaps that of the highest mean."
        f"{lacking if unusable else ''}"
    )
    return overview("returns", caption, final_scores(groups), bold=leading)


def score_table(
    final: Mapping[str, Mapping[str, Score]], absolute: Mapping[str, Mapping[str, Score]]
) -> Table:
    """Return the table of scores, with a row per task and label."""
    header = ["task", "label", "n", "final return", "95% interval", "compared with the highest"]
    header += ["absolute metric", "95% interval", "compared with the highest"] * bool(absolute)
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
        f"{OVER_SEEDS[0].upper()}{OVER_SEEDS[1:]}. Bold: the highest mean of the task. Overlaps: "
        "the interval overlaps that of the highest mean (a caution, not a test). Below: the "
        "interval is below that of the highest mean. Dash: unknown."
    )
    return Table("scores", caption, header, rows, frozenset(bold), "Scores with absolute metrics")


def _cells(scores: Mapping[str, Score], label: str) -> list[str]:
    if label not in scores:
        return ["-", "-", "-"]
    score = scores[label]
    return [number(score.mean), interval(score.interval), standing(scores, label)]
