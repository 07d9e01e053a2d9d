"""How unlikely a difference has to be at each look, so that all looks together are honest.

A test that is repeated after each round is wrong more often than it says. The remedy is to give
each look a part of the error (alpha spending: Lan and DeMets 1983, Biometrika 70, 659-663). By the
time there are ``n`` seeds, the share ``1 - FREE / n`` of the error is spent. It stays below 1
however many seeds follow, so one may always go on.

Looks at growing data resemble each other. The level of each look follows from how sums of ``n``
independent normal differences move together (Armitage, McPherson and Rowe 1969, JRSS A 132,
235-244). Student's t quantile of that level is then used (Jennison and Turnbull 2000, Group
Sequential Methods, section 11.4).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import stats
from scipy.optimize import brentq

FIRST = 3  # seeds of the earliest look; two say too little about their spread
FREE = 2.0
GRID, WIDTH = 401, 8.5  # points of the density, and its lower end in standard deviations


def spent(n_seeds: int) -> float:
    """Return the share of the error that may be spent by the time there are so many seeds."""
    return 1 - FREE / n_seeds if n_seeds >= FIRST else 0.0


def level(looks: tuple[int, ...], error: float) -> float:
    """Return the one-sided significance level of the last of several looks.

    Args:
        looks: the numbers of seeds at which one looked, growing.
        error: the probability that any of these and of all later looks is wrong.

    Raises:
        ValueError: if the first look is too early.
    """
    if looks[0] < FIRST:
        raise ValueError(f"first look at {looks[0]} seeds; a look needs {FIRST} or more")
    return _levels(looks, error)[-1]


@cache
def _levels(looks: tuple[int, ...], error: float) -> tuple[float, ...]:
    """Return the level of every look.

    The density is that of the sum of differences, where no look so far has rejected.
    """
    levels: list[float] = []
    points, mass, before = np.zeros(1), np.ones(1), 0
    for look in looks:
        share = error * (spent(look) - spent(before))
        step, scale = (look - before) ** 0.5, look**0.5
        bound = brentq(_beyond(points, mass, step, share), 0, 40 * scale)
        levels.append(float(stats.norm.sf(bound / scale)))
        fresh = np.linspace(-WIDTH * scale, bound, GRID)
        density = stats.norm.pdf(fresh[:, None] - points, scale=step) @ mass
        points, mass, before = fresh, density * _simpson(fresh), look
    return tuple(levels)


def _beyond(
    points: np.ndarray, mass: np.ndarray, step: float, share: float
) -> Callable[[float], float]:
    return lambda bound: float(stats.norm.sf(bound - points, scale=step) @ mass) - share


def _simpson(points: np.ndarray) -> np.ndarray:
    """Return the weights of Simpson's rule."""
    weights = np.full(len(points), 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return weights * (points[1] - points[0]) / 3
