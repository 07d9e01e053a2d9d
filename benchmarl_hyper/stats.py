"""Statistics of scores, one per seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

MIN_SEEDS = 3


def mean_interval(scores: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of the mean.

    Args:
        scores: one per seed, independent of each other.
        level: coverage.

    Returns:
        Lower and upper end; None for fewer than 3 scores, which say too little about their spread.
    """
    if len(scores) < MIN_SEEDS:
        return None
    mean, error = float(np.mean(scores)), float(np.std(scores, ddof=1) / len(scores) ** 0.5)
    half = error * float(stats.t.ppf((1 + level) / 2, df=len(scores) - 1))
    return mean - half, mean + half
