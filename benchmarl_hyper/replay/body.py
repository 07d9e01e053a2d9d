"""A disc, a box or a line in the plane, and which discs lie on each other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import compress
from typing import NamedTuple

NEAR = 0.1  # distance in diameters below which discs lie on each other


class Body(NamedTuple):
    """Something in the plane.

    Attributes:
        name: name of the body, which it keeps for the whole episode.
        shape: ``disc``, ``box`` or ``line``.
        size: length and width; a disc's are its diameter.
        position: x and y of the centre.
        rotation: angle in radians.
        colour: colour of the body, as matplotlib knows it.
        layer: ``ground`` for what agents move over, ``thing``, or ``agent``.
        heading: whether to show where the body looks.
    """

    name: str
    shape: str
    size: tuple[float, float]
    position: tuple[float, float]
    rotation: float
    colour: str
    layer: str
    heading: bool = False

    def reach(self) -> tuple[float, float]:
        """Return how far the body reaches from its centre, in x and in y."""
        if self.shape == "disc":
            return self.size[0] / 2, self.size[0] / 2
        length, width = self.size
        cos, sin = abs(math.cos(self.rotation)), abs(math.sin(self.rotation))
        return (length * cos + width * sin) / 2, (length * sin + width * cos) / 2

    def needed(self) -> tuple[float, float]:
        """Return how much of the body has to be seen around its centre, in x and in y."""
        if self.layer == "ground" and self.shape != "disc":
            return min(self.size) / 2, min(self.size) / 2
        return self.reach()


def piles_of(bodies: Iterable[Body]) -> list[list[Body]]:
    """Return the bodies together with those that lie on them."""
    piles: list[list[Body]] = []
    for body in bodies:
        on = [any(_lies_on(body, other) for other in pile) for pile in piles]
        joined = [other for pile in compress(piles, on) for other in pile]
        piles = [pile for pile, is_on in zip(piles, on, strict=True) if not is_on]
        piles.append([*joined, body])
    return piles


def _lies_on(body: Body, other: Body) -> bool:
    same = (body.shape, body.layer, body.size) == (other.shape, other.layer, other.size)
    near = math.dist(body.position, other.position) <= NEAR * body.size[0]
    return same and near and body.shape == "disc"
