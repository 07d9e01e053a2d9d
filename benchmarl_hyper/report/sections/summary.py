"""The outcome in a few lines, for a terminal and for the head of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarl_hyper.report.output.text import interval, number, printable
from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.reading.run import Results
from benchmarl_hyper.report.statistics.estimators import MIN_SEEDS
from benchmarl_hyper.report.statistics.scores import (
    Groups,
    Score,
    absolute_scores,
    final_scores,
    grouped,
    standing,
)
from benchmarl_hyper.terminal import table

MOST_DROPPED = 20
STANDINGS = {
    "overlaps": "95% intervals that overlap its interval",
    "below": "95% intervals below its interval",
    "-": "Too few seeds to compare intervals",
}


def summary(folders: Sequence[Path]) -> str:
    """Return a table for a terminal, with a line per task and label and per file not used.

    Args:
        folders: run folders, folders of sweeps, folders above them, or archives of such folders.

    Raises:
        ValueError: if ``results.read`` refuses the folders.
    """
    return summary_of(read(folders))


def in_words(folders: Sequence[Path]) -> str:
    """Return how labels stand, with a sentence per task, for a terminal or a notebook.

    Args:
        folders: run folders, folders of sweeps, folders above them, or archives of such folders.

    Raises:
        ValueError: if ``results.read`` refuses the folders.
    """
    return "\n".join(sentences(read(folders)))


def summary_of(results: Results) -> str:
    """Return the table of results that were read."""
    groups = grouped(results.runs)
    final, absolute = final_scores(groups), absolute_scores(groups)
    header = ["task", "label", "seeds", "final return", "95% interval", "range"]
    rows = [
        [task, label, *_cells(score), *([_absolute(absolute, task, label)] * bool(absolute))]
        for task, labels in final.items()
        for label, score in labels.items()
    ]
    note = (
        "Final return: return of the last evaluation, mean over seeds. "
        f"No interval for fewer than {MIN_SEEDS} seeds."
    )
    dropped = [
        printable(f"Dropped {one.place}: {one.reason}") for one in results.dropped[:MOST_DROPPED]
    ]
    if (more := len(results.dropped) - MOST_DROPPED) > 0:
        dropped.append(f"Dropped {more:,} more; the report's tables/dropped.csv lists all.")
    lines = [table([header + ["absolute metric"] * bool(absolute), *rows]), "", note, *dropped]
    return "\n".join(lines)


def _cells(score: Score) -> list[str]:
    return [
        str(len(score.seeds)),
        number(score.mean),
        interval(score.interval),
        interval((score.seeds.min(), score.seeds.max())),
    ]


def _absolute(scores: Mapping[str, Mapping[str, Score]], task: str, label: str) -> str:
    score = scores.get(task, {}).get(label)
    return "-" if score is None else number(score.mean)


def sentences(results: Results) -> list[str]:
    """Return a sentence per task on how its labels stand, for a terminal."""
    return [
        printable(" ".join([f"On {one['task']}, {one['best']} has {one['what']}.", *one["rest"]]))
        for one in headline(results, grouped(results.runs))["glance"]
    ]


def headline(results: Results, groups: Groups) -> dict[str, Any]:
    """Return what was compared, and how labels stand on each task, for the page's template."""
    final = final_scores(groups)
    labels = sorted({run.label for run in results.runs})
    return {
        "labels": labels,
        "tasks": list(groups),
        "n_runs": len(results.runs),
        "seeds": sorted({run.seed for run in results.runs}, key=lambda seed: (len(seed), seed)),
        "glance": [_glance(task, scores) for task, scores in final.items()],
    }


def _glance(task: str, scores: Mapping[str, Score]) -> dict[str, Any]:
    """Return the label with the highest mean, and the others by how they compare with it.

    The other labels' intervals overlap its interval, are below it, or do not exist.
    """
    by_standing: dict[str, list[str]] = {}
    for label in scores:
        by_standing.setdefault(standing(scores, label), []).append(label)
    best = by_standing["highest"][0]
    return {
        "task": task,
        "best": best,
        "what": f"the highest mean final return, {number(scores[best].mean)}",
        "rest": [
            f"{words}: {', '.join(by_standing[key])}."
            for key, words in STANDINGS.items()
            if key in by_standing
        ],
    }
