"""The form of numbers, names and sentences in tables, captions and names of files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def count(n: int, noun: str) -> str:
    """Return ``1 run`` or ``1,000 runs``."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def number(value: float, form: str = ".3f") -> str:
    """Return a number in a form, or as ``1.234e+30`` where that would be a line of digits."""
    return f"{value:{form}}" if abs(value) < 1e9 else f"{value:.4g}"


def interval(ends: Sequence[Any] | None, form: Callable[[Any], str] = number) -> str:
    """Return ``0.950 to 1.021``, or a dash where there is no interval.

    Args:
        ends: the lower and the upper end.
        form: a function that writes one number.
    """
    return "-" if ends is None else f"{form(ends[0])} to {form(ends[1])}"


def with_interval(
    value: Any, ends: Sequence[Any] | None, form: Callable[[Any], str] = number
) -> str:
    """Return ``1.012 (0.999 to 1.024)``, or the value alone where there is no interval."""
    return form(value) if ends is None else f"{form(value)} ({interval(ends, form)})"


def span(values: Sequence[int], noun: str = "") -> str:
    """Return the smallest and the largest value, ``32 to 1,000``; one value if they are equal.

    Args:
        values: whole numbers.
        noun: what is counted; it follows the numbers in its singular or plural.
    """
    low, high = min(values), max(values)
    text = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{text} {noun}{'s' * (high != 1)}" if noun else text


def listed(names: Iterable[str], most: int = 4, separator: str = ", ") -> str:
    """Return ``a, b, c, d and 3 more``."""
    every = list(names)
    if len(every) <= most:
        return separator.join(every)
    return f"{separator.join(every[:most])} and {len(every) - most:,} more"


def printable(text: str) -> str:
    """Return text in one line; a character that cannot be printed becomes its number.

    Control characters could move the cursor of a terminal, end a row of a table, or be no UTF-8.
    """
    line = re.sub(r"[\t\n\r]", " ", text)
    return line if line.isprintable() else "".join(map(_visible, line))


def _visible(character: str) -> str:
    return (
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
    )


def shortened(text: str, most: int = 40) -> str:
    """Return text for a figure; of a long one, the beginning and the end."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[len(text) - most // 2 + 1 :]}"


def slug(text: str) -> str:
    """Return text as the name of a file: at most 60 letters and digits of ASCII, and ``_``."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:60] or "unnamed"


def distinct(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, with a number if need be, and take it.

    Upper and lower case count as the same, as they do for some file systems.
    """
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free.lower())
    return free
