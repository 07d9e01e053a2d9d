"""Small pictures of environments, drawn without a graphics library."""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor


def palette(n: int) -> Tensor:
    """Return ``n`` clearly different colours, ``[n, 3]`` of ``uint8``."""
    colours = [colorsys.hsv_to_rgb(i / n, 0.75, 0.9) for i in range(n)]
    return (torch.tensor(colours) * 255).to(torch.uint8)


def canvas(height: int, width: int) -> Tensor:
    """Return a white picture, ``[height, width, 3]`` of ``uint8``."""
    return torch.full((height, width, 3), 255, dtype=torch.uint8)


def draw_squares(picture: Tensor, centres: Tensor, colours: Tensor, radius: int) -> None:
    """Draw squares into a picture, in place; parts outside the picture are cut off.

    Args:
        picture: the picture, ``[height, width, 3]``.
        centres: row and column of each square's centre, whole numbers ``[n, 2]``.
        colours: colour of each square, ``[n, 3]``.
        radius: half a side, in pixels.
    """
    for (row, column), colour in zip(centres.tolist(), colours, strict=True):
        top, left = max(row - radius, 0), max(column - radius, 0)
        picture[top : max(row + radius, 0), left : max(column + radius, 0)] = colour
