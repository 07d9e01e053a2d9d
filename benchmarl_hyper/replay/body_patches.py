"""Bodies as matplotlib draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from matplotlib.patches import Circle, Patch, Rectangle, Wedge

from benchmarl_hyper.replay.body import Body
from benchmarl_hyper.replay.colours import lighter

# How a body of each layer looks in its colour
LOOKS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ground": lambda c: {"fc": lighter(c, 0.75), "ec": c, "lw": 1.2, "zorder": 1},
    "thing": lambda c: {"fc": lighter(c, 0.3), "ec": c, "lw": 0.8, "zorder": 3},
    "agent": lambda c: {"fc": c, "ec": "white", "lw": 0.6, "zorder": 5},
}
MARK: dict[str, Any] = {"fc": "white", "ec": "none", "zorder": 6}  # of where a body looks


def pile_patches(pile: Sequence[Body]) -> Iterable[Patch]:
    """Yield the patches of a body, or a slice of one disc for each of those that lie on it."""
    yield from _slices(pile) if len(pile) > 1 else _patches(pile[0])


def _patches(body: Body) -> Iterable[Patch]:
    looks = LOOKS[body.layer](body.colour)
    x, y = body.position
    length, width = body.size
    turn: dict[str, Any] = {"angle": math.degrees(body.rotation), "rotation_point": body.position}
    if body.shape == "disc":
        yield Circle(body.position, length / 2, **looks)
    else:
        looks |= {"ec": body.colour, "lw": 2.5} if body.shape == "line" else {}
        yield Rectangle((x - length / 2, y - width / 2), length, width, **turn, **looks)
    if body.heading:
        yield Rectangle((x, y - 0.04 * length), 0.45 * length, 0.08 * length, **turn, **MARK)


def _slices(pile: Sequence[Body]) -> Iterable[Patch]:
    """Yield a slice of one disc for each body of a pile, clockwise from the top."""
    xs, ys = zip(*(body.position for body in pile), strict=True)
    centre = (sum(xs) / len(pile), sum(ys) / len(pile))
    turn = 360 / len(pile)
    for i, body in enumerate(sorted(pile, key=lambda body: body.name)):
        start = 90 - (i + 1) * turn
        yield Wedge(centre, body.size[0] / 2, start, start + turn, **LOOKS[body.layer](body.colour))
