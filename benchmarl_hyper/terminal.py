"""Plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as aligned lines, with a rule under the first."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    header, *body = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([header, "-" * len(header), *body])
