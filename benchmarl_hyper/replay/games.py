"""A matrix game as a grid: a row per agent, a column per action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from benchmarl_hyper.replay.colours import LINE, PALE, palette
from benchmarl_hyper.tasks.games import GameEnv

FADED = (0.3, 0.15)  # how strongly earlier actions are drawn, the latest first
CELL, LABELS = 0.86, 1.1  # side of a cell, and room for labels, in columns


class Choices(NamedTuple):
    """Which action each agent takes.

    Attributes:
        actions: an action per agent; -1 before the first step.
        n_actions: number of actions that an agent has.
    """

    actions: tuple[int, ...]
    n_actions: int

    def view(self) -> tuple[float, float, float, float]:
        """Return the grid with its labels; agents go down, actions to the right."""
        return -LABELS, float(self.n_actions), -float(len(self.actions)), LABELS

    def draw(self, axes: Axes, past: Sequence[Choices]) -> None:
        """Draw the grid, its labels, the actions, and faintly the actions before them."""
        n, k = len(self.actions), self.n_actions
        for row in range(n):
            for column in range(k):
                _draw_cell(axes, row, column, "none", LINE)
        shown = [*zip(FADED, reversed(past), strict=False)][::-1]
        for strength, scene in (*shown, (1.0, self)):
            for row, (action, colour) in enumerate(zip(scene.actions, palette(n), strict=True)):
                if action >= 0:
                    _draw_cell(axes, row, action, colour, "none", strength)
        self._draw_labels(axes)

    def _draw_labels(self, axes: Axes) -> None:
        n, k = len(self.actions), self.n_actions
        size = min(9.0, 110 / max(n, k))
        words: dict[str, Any] = {"ha": "center", "va": "center", "color": PALE, "fontsize": size}
        for row in range(n):
            axes.text(-0.3, -row - 0.5, str(row + 1), **words)
        for column in range(k):
            axes.text(column + 0.5, 0.3, str(column + 1), **words)
        axes.text(-0.85, -n / 2, "agent", rotation=90, **words)
        axes.text(k / 2, 0.85, "action", **words)


def choices(env: GameEnv) -> Choices:
    """Return the last joint action of a matrix game's first environment."""
    return Choices(tuple(env.previous[0].tolist()), env.n_actions)


def _draw_cell(
    axes: Axes, row: int, column: int, fill: str, edge: str, strength: float = 1.0
) -> None:
    margin, rounding = (1 - CELL) / 2, 0.12
    corner = (column + margin + rounding, -row - 1 + margin + rounding)
    side = CELL - 2 * rounding
    style = f"round,pad={rounding},rounding_size={rounding}"
    axes.add_patch(
        FancyBboxPatch(corner, side, side, style, fc=fill, ec=edge, lw=0.8, alpha=strength)
    )
