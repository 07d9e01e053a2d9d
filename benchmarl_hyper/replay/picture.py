"""Episodes side by side as pictures, and pictures as a file that moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from benchmarl_hyper.replay.colours import INK, PALE
from benchmarl_hyper.replay.episode import Episode
from benchmarl_hyper.replay.scenes import View

FORMATS = {".gif": "GIF", ".webp": "WEBP"}
COLUMNS = 4  # episodes in a row
MOST = 120  # pictures; of longer episodes, not every step is drawn
SECONDS, HOLD = 4, 1  # how long the episode takes, and how long its end stays
DPI = 100
NEARLY_WHITE = 250  # Pillow makes the white of a background a little darker than it is
MARGIN, HEADER = 0.04, 0.16  # shares of an episode's width


def pictures(
    episodes: Sequence[Episode], titles: Sequence[str], width: int
) -> Iterator[Image.Image]:
    """Draw episodes side by side, one picture after the other.

    An episode that ends before the others stays at its end.

    Args:
        episodes: episodes of one task.
        titles: a title per episode.
        width: width of an episode in pixels.
    """
    view = _common_view(episodes)
    grid = _Grid(len(episodes), width, view)
    last = max(len(episode.scenes) for episode in episodes) - 1
    for now in _moments(last):
        figure = grid.figure()
        canvas = FigureCanvasAgg(figure)
        for i, (episode, title) in enumerate(zip(episodes, titles, strict=True)):
            step = min(now, len(episode.scenes) - 1)
            axes = grid.axes(figure, i)
            episode.scenes[step].draw(axes, episode.scenes[:step])
            ended = " (end)" if step < now else ""
            grid.write(figure, i, title, f"step {step}{ended}   return {episode.returns[step]:.2f}")
        canvas.draw()
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _moments(last: int) -> list[int]:
    """Return which steps are drawn: evenly spaced ones, and the last."""
    return sorted({*range(0, last + 1, math.ceil((last + 1) / MOST)), last})


def _common_view(episodes: Sequence[Episode]) -> View:
    """Return the part of the plane that holds all scenes, with a small margin."""
    views = [scene.view() for episode in episodes for scene in episode.scenes]
    lefts, rights, bottoms, tops = zip(*views, strict=True)
    left, right, bottom, top = min(lefts), max(rights), min(bottoms), max(tops)
    margin = 0.02 * max(right - left, top - bottom)
    return left - margin, right + margin, bottom - margin, top + margin


class _Grid:
    """Where episodes and their titles are in a picture; lengths are in pixels."""

    def __init__(self, n: int, width: int, view: View):
        left, right, bottom, top = view
        self.view, self.width = view, width
        self.margin, self.header = MARGIN * width, HEADER * width
        self.columns, self.rows = min(n, COLUMNS), math.ceil(n / COLUMNS)
        # Not flatter or higher than this; the rest stays white
        ratio = min(max((top - bottom) / (right - left), 0.5), 1.5)
        self.height = self.header + ratio * (width - 2 * self.margin) + self.margin
        self.total = round(self.columns * width), round(self.rows * self.height)

    def figure(self) -> Figure:
        width, height = self.total
        return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")

    def axes(self, figure: Figure, i: int) -> Axes:
        x, y = self._corner(i)
        inner = (self.width - 2 * self.margin, self.height - self.header - self.margin)
        axes = figure.add_axes(self._shares(x + self.margin, y - self.height + self.margin, *inner))
        left, right, bottom, top = self.view
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        return axes

    def write(self, figure: Figure, i: int, title: str, subtitle: str) -> None:
        x, y = self._corner(i)
        points = 72 / DPI * self.width
        for text, down, size, colour, weight in (
            (title, 0.03, 0.05, INK, "bold"),
            (subtitle, 0.095, 0.04, PALE, "normal"),
        ):
            left, top, *_ = self._shares(x + self.margin, y - down * self.width, 0, 0)
            look = {"color": colour, "weight": weight, "fontsize": size * points}
            figure.text(left, top, text, look, va="top")

    def _corner(self, i: int) -> tuple[float, float]:
        """Return the upper left corner of an episode."""
        row, column = divmod(i, COLUMNS)
        return column * self.width, self.total[1] - row * self.height

    def _shares(self, *rectangle: float) -> tuple[float, float, float, float]:
        x, y, width, height = rectangle
        across, up = self.total
        return x / across, y / up, width / across, height / up


def write(images: Iterator[Image.Image], file: Path, fps: float | None) -> None:
    """Write pictures as a GIF or WebP that repeats for ever, as a whole.

    Args:
        images: the pictures.
        file: the file, which ends in one of ``FORMATS``.
        fps: pictures per second; None to take ``SECONDS`` in all, with 2 to 25 per second.
    """
    kind = FORMATS[file.suffix.lower()]
    all_images = list(images)
    rate = fps or min(max(len(all_images) / SECONDS, 2), 25)
    one = 10 * round(100 / rate)  # a GIF counts hundredths of a second
    durations = [one] * (len(all_images) - 1) + [1000 * HOLD]
    first, *others = _few_colours(all_images) if kind == "GIF" else all_images
    part = file.with_name(f".{file.name}.part")
    try:
        first.save(
            part, kind, save_all=True, append_images=others, duration=durations, loop=0, method=4
        )
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _few_colours(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Return pictures in the 256 colours that suit some of them best, the same for all."""
    some = images[:: math.ceil(len(images) / 8)]
    joined = Image.new("RGB", (some[0].width, some[0].height * len(some)))
    for i, image in enumerate(some):
        joined.paste(image, (0, i * image.height))
    palette = Image.new("P", (1, 1))
    colours = joined.quantize(256).getpalette() or []
    palette.putpalette([255 if value >= NEARLY_WHITE else value for value in colours])
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
