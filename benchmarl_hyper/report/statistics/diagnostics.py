"""Statistics of what callbacks recorded while runs trained."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarl_hyper.report.reading.run import Key
from benchmarl_hyper.report.statistics.scores import Band, Groups, Score, band, score


def scalar_curves(groups: Groups) -> dict[tuple[str, Key], dict[str, Band]]:
    """Return curves of means over seeds with intervals, by task and quantity and then by label.

    A curve has the frames at which all runs of the label have a finite value. Runs that did not
    record the quantity do not count.
    """
    lines: dict[tuple[str, Key], dict[str, Band]] = {}
    for task, labels in groups.items():
        for label, runs in labels.items():
            recorded = [run.recording.scalars for run in runs if run.recording]
            for key in dict.fromkeys(key for one in recorded for key in one):
                values = [one[key] for one in recorded if key in one]
                frames = sorted(
                    set.intersection(*({f for f in v if np.isfinite(v[f])} for v in values))
                )
                if frames:
                    points = np.array([[v[f] for f in frames] for v in values])
                    lines.setdefault((task, key), {})[label] = band(frames, points)
    return lines


class Summary(NamedTuple):
    """A quantity of runs: its last finite value, and the mean of all its finite values."""

    last: Score
    mean: Score


def scalar_summaries(groups: Groups) -> dict[tuple[str, str, Key], Summary]:
    """Summarise runs that have a finite value of a quantity, by task, label and quantity."""
    found: dict[tuple[str, str, Key], list[np.ndarray]] = {}
    for task, labels in groups.items():
        for label, runs in labels.items():
            for run in runs:
                scalars = run.recording.scalars if run.recording else {}
                for key, by_frames in scalars.items():
                    values = np.array([by_frames[frames] for frames in sorted(by_frames)])
                    values = values[np.isfinite(values)]
                    if len(values):
                        found.setdefault((task, label, key), []).append(values)
    return {
        where: Summary(score([v[-1] for v in runs]), score([float(v.mean()) for v in runs]))
        for where, runs in found.items()
    }


def last_matrices(groups: Groups) -> dict[tuple[str, Key], dict[str, np.ndarray]]:
    """Return the last matrix of each label's first seed, by task and quantity and then by label.

    The first seed is the first one with a recording. Agents take different roles in different
    seeds, so a mean over seeds would hide them.
    """
    last: dict[tuple[str, Key], dict[str, np.ndarray]] = {}
    for task, labels in groups.items():
        for label, runs in labels.items():
            first = next((run.recording for run in runs if run.recording), None)
            for key, matrix in first.matrices.items() if first else ():
                last.setdefault((task, key), {})[label] = matrix
    return last
