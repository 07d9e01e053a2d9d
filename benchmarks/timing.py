"""Times of functions side by side, and where they were taken."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from datetime import date
from statistics import median

import benchmarl
import tensordict
import torch
import torchrl

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def header() -> str:
    """Machine, versions, threads and date."""
    machine = torch.cuda.get_device_name() if DEVICE == "cuda" else platform.machine()
    versions = ", ".join(
        f"{module.__name__} {module.__version__}" for module in (torch, torchrl, tensordict)
    )
    return (
        f"{machine}, {versions}, benchmarl {benchmarl.__version__}, "
        f"Python {platform.python_version()}, {torch.get_num_threads()} thread(s), {date.today()}"
    )


class Times:
    """How long each of some functions takes.

    They take turns, so that whatever else the machine does falls on all of them alike, and ratios
    are medians over turns.

    Args:
        functions: by name.
        rounds: turns.
        sample: seconds that a turn takes at least, in as many calls as that needs.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[[], object]],
        rounds: int = 101,
        sample: float = 0.001,
    ):
        calls = {}
        for name, function in functions.items():
            _seconds(function, 3)
            calls[name] = max(1, round(sample / _seconds(function, 3)))
        self.seconds: dict[str, list[float]] = {name: [] for name in functions}
        for _ in range(rounds):
            for name, function in functions.items():
                self.seconds[name].append(_seconds(function, calls[name]))

    def median(self, name: str) -> float:
        """Seconds of a call."""
        return median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> float:
        """How much longer a call takes than one of the reference."""
        pairs = zip(self.seconds[name], self.seconds[reference], strict=True)
        return median(ours / theirs for ours, theirs in pairs)


def _seconds(function: Callable[[], object], calls: int) -> float:
    _finish()
    start = time.perf_counter()
    for _ in range(calls):
        function()
    _finish()
    return (time.perf_counter() - start) / calls


def _finish() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def verdict(ratio: float, target: float) -> str:
    """Whether a ratio is within its target."""
    return "met" if ratio <= target else "not met"
