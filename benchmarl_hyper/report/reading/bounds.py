"""The user's bounds: the returns of tasks that count as 0 and as 1."""

from __future__ import annotations

from pathlib import Path

from benchmarl_hyper.report.reading.files import read_settings
from benchmarl_hyper.report.reading.schema import is_number

FORM = "write a line per task, such as `vmas/balance: [0, 100]`"


def read_bounds(path: Path) -> dict[str, tuple[float, float]]:
    """Read the bounds of tasks from a YAML file with lines such as ``task: [low, high]``.

    Raises:
        ValueError: if the file cannot be read or has another form.
    """
    path = Path(path)
    try:
        path.stat()
        content = read_settings(path.resolve())
    except (OSError, ValueError) as error:
        raise ValueError(f"bounds cannot be read from {path}: {error}; {FORM}") from error
    return {task: _ends(task, ends, path) for task, ends in content.items()}


def _ends(task: str, ends: object, path: Path) -> tuple[float, float]:
    if not isinstance(ends, list) or len(ends) != 2 or not all(map(is_number, ends)):
        raise ValueError(f"bounds of {task} in {path} are {ends!r}; {FORM}")
    low, high = map(float, ends)
    if not low < high:
        raise ValueError(f"bounds of {task} in {path} are {ends!r}, need low < high; {FORM}")
    return low, high
