"""Figures as PNG and as PDF. Text in them is never read as mathematics or as LaTeX."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image

# fontTools logs a line per glyph table of each PDF
logging.getLogger("fontTools").setLevel(logging.WARNING)

# Venues accept fonts of type 42. Dollars and underscores in names are only characters.
SETTINGS: dict[Any, Any] = {"text.parse_math": False, "text.usetex": False, "pdf.fonttype": 42}
DOTS_PER_INCH = 150  # finer than the page shows it, for sharp screens
COLOURS = 256  # of lines and their shades, for a third of the bytes; maps keep all theirs


class Images(NamedTuple):
    """A figure as files, and its width in inches."""

    png: bytes
    pdf: bytes
    width: float


def images(draw: Callable[[], Figure]) -> Images:
    """Draw a figure, and return it as PNG and as PDF. The same data give the same bytes.

    Args:
        draw: a function that makes the figure, which nobody keeps.
    """
    with matplotlib.rc_context(SETTINGS), quiet():
        figure = draw()
        return Images(png(figure), pdf(figure), float(figure.get_figwidth()))


@contextmanager
def quiet() -> Iterator[None]:
    """Do without warnings of names that are too long for their place or that the font lacks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        warnings.filterwarnings("ignore", ".*layout not applied", UserWarning)
        yield


def png(figure: Figure) -> bytes:
    """Return a figure as PNG, and leave its parts where the layout has put them."""
    figure.set_dpi(DOTS_PER_INCH)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")  # the parts are in place, and placing them again takes long
    picture = Image.frombytes("RGBA", canvas.get_width_height(), canvas.buffer_rgba().tobytes())
    buffer = io.BytesIO()
    picture = picture.convert("RGB")
    if not any(axes.images for axes in figure.axes):
        picture = picture.quantize(COLOURS, Image.Quantize.FASTOCTREE)
    picture.save(buffer, "png")
    return buffer.getvalue()


def pdf(figure: Figure) -> bytes:
    """Return a figure as PDF."""
    buffer = io.BytesIO()
    FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None})
    return buffer.getvalue()
