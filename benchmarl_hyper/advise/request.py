"""What the user asks for: the words of the command line, checked."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.terminal import nearest

CANDIDATES = ("fups", "fups_id", "hypermarl", "nops")
OWN = ("minutes", "frames", "candidates", "margin", "jobs")
# Settings of the runs that the command chooses itself, and what to use in their place
TAKEN = {
    "variant": "name the variants to compare with candidates=[fups,nops]",
    "seed": "seeds are 0, 1, 2 and so on, as many as are needed",
    "label": "labels are <algorithm>_<variant>",
    "-m": "it starts all of its runs itself",
    "--multirun": "it starts all of its runs itself",
}


@dataclass(frozen=True)
class Request:
    """What is to be compared, and at what cost.

    Attributes:
        overrides: BenchMARL's and the runner's own, for all runs.
        config_dir: the folder of the user's own configuration; None if there is none.
        candidates: the variants to compare.
        margin: the difference that does not matter, as a share of the range between random play and
            the best candidate.
        seconds: the time to spend in all; infinity if frames are the budget.
        frames: the frames to train for in all; infinity if time is the budget.
        jobs: the number of processes at a time.
    """

    overrides: tuple[str, ...]
    config_dir: Path | None
    candidates: tuple[str, ...]
    margin: float
    seconds: float
    frames: float
    jobs: int


def parsed(words: Sequence[str]) -> Request:
    """Return the request of a command line.

    Args:
        words: the command line, without the program.

    Raises:
        ValueError: if a word cannot work; the message says what can.
    """
    own: dict[str, str] = {}
    overrides: list[str] = []
    folder: Path | None = None
    rest = iter(words)
    for word in rest:
        key, _, value = word.partition("=")
        if key in OWN:
            own[key] = value
        elif key.lstrip("+") in TAKEN:
            raise ValueError(f"{word} cannot be given to advise: {TAKEN[key.lstrip('+')]}")
        elif key == "--config-dir":
            folder = Path(value or next(rest, ""))
        else:
            overrides.append(word)
    minutes, frames = (_positive(own, key) for key in ("minutes", "frames"))
    if math.isinf(minutes) == math.isinf(frames):
        raise ValueError("give one budget: minutes=20, or frames=2_000_000 for all runs together")
    margin = _positive({"margin": "0.05", **own}, "margin")
    jobs = int(_positive({"jobs": str(min(os.cpu_count() or 1, 4)), **own}, "jobs"))
    candidates = _candidates(own.get("candidates", ",".join(CANDIDATES)), folder)
    return Request(tuple(overrides), folder, candidates, margin, 60 * minutes, frames, max(jobs, 1))


def _positive(own: dict[str, str], key: str) -> float:
    if key not in own:
        return math.inf
    examples = {"minutes": "20", "frames": "2_000_000", "margin": "0.05", "jobs": "2"}
    try:
        value = float(own[key])
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{key}={own[key]} must be a number above 0, for example {examples[key]}")
    return value


def _candidates(text: str, folder: Path | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.strip("[]() ").split(",") if name.strip())
    folders = [CONF, *([folder] if folder else [])]
    known = {file.stem for one in folders for file in (one / "variant").glob("*.yaml")}
    for name in names:
        if name not in known:
            raise ValueError(
                f"unknown candidate '{name}'{nearest(name, known)}; the known ones are "
                f"{', '.join(sorted(known))}"
            )
    if len(set(names)) < max(2, len(names)):
        raise ValueError(
            f"candidates=[{','.join(names)}]: need two or more different variants to compare, for "
            f"example candidates=[{','.join(CANDIDATES)}]"
        )
    return names
