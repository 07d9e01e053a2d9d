"""Who gets the next seeds, and how many."""

from __future__ import annotations

import numpy as np

from benchmarl_hyper.advise.decisions import Decision, Verdict, quantile

ROUNDS = (4, 6, 9, 13, 19, 28)  # seeds after which decisions are made
GROWTH = 1.5  # of the rounds after these
HOPE = 0.5  # standard errors by which a difference may be better than it seems
FOR_HOPE = 4  # seeds, before which nobody is given up


def next_look(n_seeds: int) -> int:
    """Return the number of seeds of the round after one with this many."""
    later = (n for n in ROUNDS if n > n_seeds)
    return next(later, max(int(n_seeds * GROWTH), n_seeds + 1))


def needed(found: Verdict, horizon: float = np.inf) -> list[str]:
    """Return the candidates that need more seeds.

    These are the undecided ones, and the rivals that keep them undecided, since a pair is compared
    with the same seeds. Candidates that even the whole budget could not decide are left out.

    Args:
        found: what is known so far.
        horizon: the number of seeds that the budget can pay for.
    """
    wanted: set[int] = set()
    for i in found.undecided:
        rivals = open_rivals(found, i)
        if found.n_seeds < FOR_HOPE or all(_may_decide(found, i, j, horizon) for j in rivals):
            wanted |= {i, *rivals}
    return [found.names[i] for i in sorted(wanted)]


def open_rivals(found: Verdict, i: int) -> list[int]:
    """Return the candidates that keep one undecided."""
    others = np.flatnonzero(found.possible)
    rivals = [int(j) for j in others if j != i and found.is_open(i, int(j))]
    return rivals or [int(j) for j in others if j != i]  # too few seeds for "as good"


def _may_decide(found: Verdict, i: int, j: int, horizon: float) -> bool:
    """Return whether so many seeds could decide a pair, if its difference is a little kinder."""
    if np.isinf(horizon) or not found.is_open(i, j):
        return True
    spread = found.spread[j, i]
    half = quantile(found.tail, int(horizon)) * spread / horizon**0.5
    distance = abs(found.difference[j, i] - found.margin)
    return bool(half <= distance + HOPE * spread / found.n_seeds**0.5)


def seeds_to_decide(found: Verdict, i: int, most: int = 1000) -> int | None:
    """Return about how many seeds would decide a candidate; None if more than ``most``.

    The estimate takes differences and spreads as they are now.
    """
    if found.decisions[i] is not Decision.UNDECIDED or not found.n_seeds:
        return None
    for n in range(found.n_seeds + 1, most + 1):
        halves = [quantile(found.tail, n) * found.spread[j, i] for j in open_rivals(found, i)]
        distances = [abs(found.difference[j, i] - found.margin) for j in open_rivals(found, i)]
        if all(h / n**0.5 <= d for h, d in zip(halves, distances, strict=True)):
            return n
    return None
