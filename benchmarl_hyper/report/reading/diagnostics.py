"""A reader of what callbacks recorded in training: ``diagnostics.jsonl`` next to the results."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarl_hyper.report.reading.files import read_bytes
from benchmarl_hyper.report.reading.run import Key, Recording
from benchmarl_hyper.report.reading.schema import ENTRY, check, is_number

MOST_QUANTITIES = 100
MOST_ROWS, MOST_COLUMNS = 1_024, 4_096  # agents, and agents or the size of an embedding


def read(path: Path) -> tuple[Recording, str | None]:
    """Read one file.

    Of several lines that record the same quantity at the same frames, the first one counts.
    Training records each once. A run that is continued goes back to its checkpoint before, so a
    second line can only come from somebody who evaluated the finished run again.

    Returns:
        The recording, and what is wrong with lines that could not be used; None if nothing is.
    """
    scalars: dict[Key, dict[int, float]] = {}
    last: dict[Key, tuple[int, np.ndarray]] = {}
    broken = 0
    for line in read_bytes(path).decode("utf-8", "replace").split("\n"):
        if not line.strip():
            continue
        try:
            key, frames, value = _entry(line)
            if len({*scalars, *last, key}) > MOST_QUANTITIES:
                raise ValueError("too many quantities")
        except (ValueError, RecursionError):
            broken += 1
            continue
        if isinstance(value, float):
            scalars.setdefault(key, {}).setdefault(frames, value)
        elif key not in last or frames > last[key][0]:
            last[key] = frames, value
    matrices = {key: matrix for key, (_, matrix) in last.items()}
    return Recording(scalars, matrices), _problem(broken)


def _problem(broken: int) -> str | None:
    if not broken:
        return None
    are = "1 line is not a record" if broken == 1 else f"{broken:,} lines are not records"
    return f"{are} of numbers up to 1e+100 and {MOST_QUANTITIES} quantities, maybe half-written"


def _entry(line: str) -> tuple[Key, int, float | np.ndarray]:
    entry = json.loads(line)
    if not isinstance(entry, dict):
        raise ValueError("not a mapping")
    check(entry, ENTRY, "the line")
    value = _matrix(entry["matrix"]) if "matrix" in entry else _number(entry.get("value", ""))
    return (entry["group"], entry["name"]), int(entry["frames"]), value


def _number(value: Any) -> float:
    """Return a number; null, nan and inf become nan."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return math.nan
    if not is_number(value):
        raise ValueError("not a number")
    return float(value)


def _matrix(rows: Any) -> np.ndarray:
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
        raise ValueError("not a matrix")
    numbers = [[_number(value) for value in row] for row in rows if isinstance(row, list)]
    lengths = {len(row) for row in numbers}
    if len(numbers) < len(rows) or len(lengths) != 1 or not 0 < lengths.pop() <= MOST_COLUMNS:
        raise ValueError("not a matrix")
    return np.array(numbers)
