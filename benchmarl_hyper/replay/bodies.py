"""Discs, boxes and lines in the plane: what a particle world looks like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from benchmarl_hyper.replay.body import Body, piles_of
from benchmarl_hyper.replay.body_patches import pile_patches
from benchmarl_hyper.replay.colours import LINE

TRAIL = 15  # number of steps that an agent's trail goes back
LEAST = 0.045  # diameter of an agent, as a share of the width of what is drawn


class Bodies(NamedTuple):
    """All visible bodies at one moment.

    Attributes:
        bodies: the bodies.
        border: half the width and half the height of the world; None for an endless world.
    """

    bodies: tuple[Body, ...]
    border: tuple[float, float] | None = None

    def view(self) -> tuple[float, float, float, float]:
        """Return the part of the plane that holds all bodies and the border.

        Long walls and floors may reach out of it.
        """
        reached = [(*body.position, *body.needed()) for body in self.bodies]
        if self.border:
            reached.append((0.0, 0.0, *self.border))
        return (
            min(x - width for x, _, width, _ in reached),
            max(x + width for x, _, width, _ in reached),
            min(y - height for _, y, _, height in reached),
            max(y + height for _, y, _, height in reached),
        )

    def draw(self, axes: Axes, past: Sequence[Bodies]) -> None:
        """Draw the bodies, agents on top, with the latest steps of each agent.

        Discs that lie on each other get a slice each, so that all of them are seen.
        """
        if self.border:
            x, y = self.border
            axes.add_patch(Rectangle((-x, -y), 2 * x, 2 * y, fill=False, ec=LINE, lw=1, zorder=0))
        latest = [*past[-TRAIL:], self]
        left, right = axes.get_xlim()
        bodies = [_seen(body, LEAST * (right - left)) for body in self.bodies]
        for body in bodies:
            if body.layer == "agent":
                _draw_trail(axes, body, latest)
        for pile in piles_of(bodies):
            for patch in pile_patches(pile):
                axes.add_patch(patch)


def _seen(body: Body, least: float) -> Body:
    """Return a body as it is drawn: discs of agents are not smaller than ``least``."""
    if body.layer == "agent" and body.shape == "disc" and body.size[0] < least:
        return body._replace(size=(least, least))
    return body


def _draw_trail(axes: Axes, agent: Body, scenes: Iterable[Bodies]) -> None:
    points = [b.position for scene in scenes for b in scene.bodies if b.name == agent.name]
    pieces = list(pairwise(points))
    shades = [to_rgba(agent.colour, 0.6 * (i + 1) / len(pieces)) for i in range(len(pieces))]
    axes.add_collection(
        LineCollection(pieces, colors=shades, linewidths=2, capstyle="butt", zorder=4)
    )
