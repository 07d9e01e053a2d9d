"""Compare the times of functions, and say where they were measured."""

from __future__ import annotations

import platform
import resource
import sys
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
    """Return a line with the machine, versions, number of threads and date."""
    machine = torch.cuda.get_device_name() if DEVICE == "cuda" else platform.machine()
    versions = ", ".join(
        f"{module.__name__} {module.__version__}" for module in (torch, torchrl, tensordict)
    )
    return (
        f"{machine}, {versions}, benchmarl {benchmarl.__version__}, "
        f"Python {platform.python_version()}, {torch.get_num_threads()} thread(s), {date.today()}"
    )


class Times:
    """Times of several functions.

    The functions take turns, so other work on the machine affects all of them alike. Ratios are
    medians over turns.

    Args:
        functions: the functions, by name.
        rounds: number of turns.
        sample: seconds that a turn should take; a turn has as many calls as this needs.
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
        """Return the median seconds of a call."""
        return median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> float:
        """Return the time of a call divided by that of a call of the reference."""
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
    """Return whether a ratio is within its target, in words."""
    return "met" if ratio <= target else "not met"


def peak_memory() -> float:
    """Return the MiB that this process has needed at most, those of the GPU if there is one."""
    if DEVICE == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
