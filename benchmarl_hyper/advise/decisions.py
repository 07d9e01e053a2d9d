"""Which candidates are worse than the best by more than a margin, as far as seeds can tell.

Candidates are compared with the same seeds: each pair has one difference per seed, and Student's t
gives the interval of its mean, whatever the variances of the candidates are. The error that is
allowed is dealt out:

- over looks, as ``looks`` says;
- over candidates: only the pairs with the best candidate matter, although nobody knows which one
  that is (multiple comparisons with the best: Hsu 1981, Annals of Statistics 9, 1026-1034). With
  ``k`` candidates, these are ``k - 1`` pairs;
- a part of it, ``RULING_OUT``, is for ruling candidates out as the best.

A decision holds for all later looks. An interval is what all looks so far leave of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarl_hyper.advise.looks import FIRST, level

RULING_OUT = 0.2
# Spread between seeds that is assumed at least, in margins: equal scores of a few seeds do not
# prove that all seeds have this score
LEAST_SPREAD = 0.25
FOR_EQUAL = 5  # seeds; with fewer, a candidate that fails in one of four seeds may look perfect


class Decision(Enum):
    """What is known about a candidate."""

    EQUAL = "as good"  # the best, or within the margin of it
    WORSE = "worse"  # than the best by more than the margin
    UNDECIDED = "undecided"


class Verdict(NamedTuple):
    """What scores say after all looks; pairs are ``[i, j]``, the mean of ``i`` minus that of ``j``.

    Attributes:
        names: the candidates, in order of the other entries.
        margin: the difference that does not matter, in units of the score.
        means: the mean score of each candidate, over all its seeds.
        low: lower ends of the intervals of pairs.
        high: upper ends of the intervals of pairs.
        difference: mean differences of pairs, over the seeds that both have.
        spread: standard deviations of these differences.
        tail: the one-sided level of the last look.
        n_seeds: the number of seeds at the last look; 0 before the first one.
        possible: whether each candidate may still be the best.
        decisions: what is known about each candidate.
    """

    names: tuple[str, ...]
    margin: float
    means: np.ndarray
    low: np.ndarray
    high: np.ndarray
    difference: np.ndarray
    spread: np.ndarray
    tail: float
    n_seeds: int
    possible: np.ndarray
    decisions: tuple[Decision, ...]

    @property
    def best(self) -> int:
        """The candidate of the highest mean among those that may be the best."""
        return int(np.argmax(np.where(self.possible, self.means, -np.inf)))

    @property
    def undecided(self) -> list[int]:
        """The candidates about which nothing is known."""
        return [i for i, one in enumerate(self.decisions) if one is Decision.UNDECIDED]

    def is_open(self, i: int, j: int) -> bool:
        """Return whether ``j`` may be better than ``i`` by more than the margin, or by less."""
        return not (self.low[j, i] > self.margin or self.high[j, i] <= self.margin)


def verdict(
    scores: Mapping[str, Sequence[float]],
    looks: Sequence[int],
    floor: float,
    margin: float = 0.05,
    error: float = 0.05,
) -> Verdict:
    """Return what scores say, with all looks at them counted.

    Args:
        scores: by candidate, a score for each of the seeds 0, 1, 2 and so on; nan for a seed
            without one, because its run failed.
        looks: the numbers of seeds after which decisions were made, growing; the last one is now.
        floor: the score of random play.
        margin: the difference that does not matter, as a share of the range between random play and
            the best mean.
        error: the probability that is allowed for a wrong decision, of all decisions together.

    Raises:
        ValueError: if there are fewer than two candidates, if the margin is not above 0, or if a
            candidate has no score.
    """
    if len(scores) < 2:
        raise ValueError(f"got {len(scores)} candidate, need two or more to compare")
    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin}; 0.05 is 5% of the range")
    values = _table(scores)
    found = _before_any_look(tuple(scores), values, floor, margin)
    for k in range(1, len(looks) + 1):
        found = _after(found, values, tuple(looks[:k]), floor, margin, error / (len(scores) - 1))
    return found


def _table(scores: Mapping[str, Sequence[float]]) -> np.ndarray:
    values = np.full((len(scores), max(map(len, scores.values()))), np.nan)
    for row, (name, of_one) in zip(values, scores.items(), strict=True):
        row[: len(of_one)] = of_one
        if np.isnan(row).all():
            raise ValueError(f"candidate '{name}' has no score; leave it out")
    return values


def _before_any_look(
    names: tuple[str, ...], values: np.ndarray, floor: float, margin: float
) -> Verdict:
    n = len(names)
    means, nothing = np.nanmean(values, axis=1), np.zeros((n, n))
    return Verdict(
        names,
        margin * _range(means, floor),
        means,
        np.full((n, n), -np.inf),
        np.full((n, n), np.inf),
        means[:, None] - means,
        nothing,
        0.0,
        0,
        np.full(n, True),
        (Decision.UNDECIDED,) * n,
    )


def _range(means: np.ndarray, floor: float) -> float:
    """Return how far the best mean is above random play, or above the worst if that is lower."""
    return float(np.nanmax(means) - min(floor, np.nanmin(means)))


def _after(
    found: Verdict,
    values: np.ndarray,
    looks: tuple[int, ...],
    floor: float,
    margin: float,
    error: float,
) -> Verdict:
    """Return what is known after one more look."""
    seen = values[:, : looks[-1]]
    width = margin * _range(_means(seen), floor)
    counts = _counts(seen)
    fresh = counts > _counts(values[:, : found.n_seeds])
    tail, strict = level(looks, (1 - RULING_OUT) * error), level(looks, RULING_OUT * error)
    mean, spread = _differences(seen, counts, LEAST_SPREAD * width)
    half = _half(counts, spread, tail)
    beaten = (fresh & (mean > _half(counts, spread, strict))).any(axis=0)
    after = found._replace(
        margin=width,
        low=np.where(fresh, np.maximum(found.low, mean - half), found.low),
        high=np.where(fresh, np.minimum(found.high, mean + half), found.high),
        difference=mean,
        spread=spread,
        tail=tail,
        n_seeds=looks[-1],
        possible=found.possible & ~beaten,
    )
    return after._replace(decisions=tuple(_decision(after, i) for i in range(len(counts))))


def _means(values: np.ndarray) -> np.ndarray:
    n = (~np.isnan(values)).sum(axis=1)
    return np.where(n, np.nansum(values, axis=1) / np.maximum(n, 1), np.nan)


def _counts(values: np.ndarray) -> np.ndarray:
    """Return how many seeds each pair has in common."""
    there = (~np.isnan(values)).astype(int)
    return there @ there.T


def _differences(
    values: np.ndarray, counts: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    differences, n = values[:, None] - values, np.maximum(counts, 1)
    mean = np.nansum(differences, axis=-1) / n
    squares = np.nansum((differences - mean[..., None]) ** 2, axis=-1)
    return mean, np.maximum(np.sqrt(squares / np.maximum(n - 1, 1)), least)


def _half(counts: np.ndarray, spread: np.ndarray, tail: float) -> np.ndarray:
    """Return half the width of the intervals of pairs."""
    quantiles = np.reshape([quantile(tail, int(n)) for n in counts.flat], counts.shape)
    return quantiles * spread / np.sqrt(np.maximum(counts, 1))


@cache
def quantile(tail: float, n_seeds: int) -> float:
    """Return Student's t quantile for a mean of so many seeds; infinity for too few of them."""
    return float(stats.t.isf(tail, n_seeds - 1)) if n_seeds >= FIRST else np.inf


def _decision(found: Verdict, i: int) -> Decision:
    """Return the decision about a candidate; one that was made before stays."""
    rivals = found.possible.copy()
    rivals[i] = False
    if found.decisions[i] is not Decision.UNDECIDED:
        return found.decisions[i]
    if not found.possible[i] and (found.low[rivals, i] > found.margin).all():
        return Decision.WORSE
    if found.n_seeds >= FOR_EQUAL and (found.high[rivals, i] <= found.margin).all():
        return Decision.EQUAL
    return Decision.UNDECIDED
