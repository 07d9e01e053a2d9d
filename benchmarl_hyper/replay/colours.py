"""Colours that people with colour blindness can tell apart."""

from __future__ import annotations

from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

# Okabe and Ito's, except yellow, which is faint on white
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#4d4d4d")
INK, PALE, LINE = "#222222", "#6b7280", "#d5d8dd"


def palette(n: int) -> list[str]:
    """Return ``n`` different colours; for more than seven, they differ in lightness as well."""
    if n <= len(COLOURS):
        return list(COLOURS[:n])
    return [to_hex(colormaps["plasma"](0.9 * i / (n - 1))) for i in range(n)]


def lighter(colour: str, share: float) -> str:
    """Return a colour mixed with white.

    Args:
        colour: the colour, as matplotlib knows it.
        share: share of white, from 0 to 1.
    """
    red, green, blue = (share + (1 - share) * value for value in to_rgb(colour))
    return to_hex((red, green, blue))
