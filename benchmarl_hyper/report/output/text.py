"""The form of numbers and names in tables, captions and sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def interval(ends: Sequence[Any] | None, number: Callable[[Any], str] = "{:.3f}".format) -> str:
    """Return ``0.950 to 1.021``, or a dash where there is no interval.

    Args:
        ends: the lower and the upper end.
        number: a function that writes one number.
    """
    return "-" if ends is None else f"{number(ends[0])} to {number(ends[1])}"


def with_interval(
    value: Any, ends: Sequence[Any] | None, number: Callable[[Any], str] = "{:.3f}".format
) -> str:
    """Return ``1.012 (0.999 to 1.024)``, or the value alone where there is no interval."""
    return number(value) if ends is None else f"{number(value)} ({interval(ends, number)})"


def span(values: Sequence[int]) -> str:
    """Return the smallest and the largest value, ``32 to 1,000``; one value if they are equal."""
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return ``a, b, c, d and 3 more``."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
