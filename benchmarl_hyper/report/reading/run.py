"""A run as reports know it: where it lies, what it was, and what it measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Key: TypeAlias = tuple[str, str]  # group and name


class Place(NamedTuple):
    """Where a file or folder lies: what the user gave, and the path inside it."""

    given: str
    inside: str

    def __str__(self) -> str:
        """Return the path as the user would write it."""
        return os.path.join(self.given, self.inside) if self.inside else self.given

    @property
    def short(self) -> str:
        """The path without what lies above the given folder."""
        return str(Place(Path(self.given).resolve().name, self.inside))

    @property
    def absolute(self) -> str:
        """The absolute path."""
        return os.path.abspath(str(self))


class Evaluation(NamedTuple):
    """An evaluation: the frames of training before it, and each metric's value per episode."""

    frames: int
    metrics: Mapping[str, list[float]]


class Recording(NamedTuple):
    """What callbacks recorded, by group and name: scalars by frames, and the last matrix."""

    scalars: Mapping[Key, Mapping[int, float]]
    matrices: Mapping[Key, np.ndarray]


@dataclass(frozen=True)
class Run:
    """One finished run.

    ``absolute`` has each metric's values in fresh episodes with the policy of the best evaluation.
    It is empty for BenchMARL's own runs, where the entry of that name is the best single episode.
    ``settings`` is the resolved configuration, and ``record`` is our ``run.json``. Each is empty if
    the run has none. ``recording`` is None if callbacks recorded nothing.
    """

    task: str
    label: str
    seed: str
    place: Place
    evaluations: Sequence[Evaluation]
    absolute: Mapping[str, list[float]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    recording: Recording | None = None

    @property
    def final_return(self) -> float:
        """The mean return over the episodes of the last evaluation."""
        return _mean(self.evaluations[-1].metrics["return"])

    @property
    def absolute_return(self) -> float | None:
        """The absolute metric: the mean return over its episodes; None if it was not measured."""
        return _mean(self.absolute["return"]) if self.absolute else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


class Dropped(NamedTuple):
    """A file that the report does not use, and the reason; not ``whole`` if it uses a part."""

    place: Place
    reason: str
    whole: bool = True


class Results(NamedTuple):
    """The runs that were found, in order of task, label and seed, and the files not used."""

    runs: list[Run]
    dropped: list[Dropped]
