"""What has to be remembered between two starts of the same command: ``advise.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarl_hyper.run_files import write_whole

FILE = "advise.json"  # in the folder of all runs


@dataclass
class Memory:
    """What was measured, chosen and spent so far.

    Attributes:
        settings: the settings of runs that the command has chosen, by dotted key.
        random_play: the mean return of random actions.
        seconds_per_run: the seconds of a run, by candidate, as measured in the first minute.
        start_seconds: the seconds that a process takes to start.
        looks: the numbers of seeds after which decisions were made.
        target: the number of seeds that each candidate gets in the current round.
        seconds: the seconds that were spent.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    random_play: float | None = None
    seconds_per_run: dict[str, float] = field(default_factory=dict)
    start_seconds: float = 0.0
    looks: list[int] = field(default_factory=list)
    target: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def write(self, folder: Path) -> None:
        """Write the file into the folder of all runs."""
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / FILE, json.dumps(asdict(self), indent=1))


def remembered(folder: Path) -> Memory:
    """Return what an earlier start has left in a folder.

    Raises:
        ValueError: if the file cannot be read.
    """
    file = folder / FILE
    if not file.exists():
        return Memory()
    try:
        return Memory(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(
            f"{file} cannot be read ({error}); if you remove it, the runs beside it are kept and "
            "decisions begin again"
        ) from error
