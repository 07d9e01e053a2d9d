"""Evaluations out of a results file in marl-eval's layout, which BenchMARL and we write."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarl_hyper.report.reading.run import Evaluation
from benchmarl_hyper.report.reading.schema import COUNT, NAME, check_one, is_number


class Recorded(NamedTuple):
    """What a results file holds of one run; nothing of it is checked yet."""

    task: str
    label: str
    seed: str
    steps: Mapping[str, Any]


def recorded(results: Any) -> Iterator[Recorded]:
    """Yield the runs in the content of a results file.

    Other JSON yields nothing.
    """
    for environment, tasks in _items(results):
        for task, labels in _items(tasks):
            for label, seeds in _items(labels):
                for seed, steps in _items(seeds):
                    if any(key.startswith("step_") for key, _ in _items(steps)):
                        number = seed.removeprefix("seed_")
                        yield Recorded(f"{environment}/{task}", label, number, steps)


def _items(value: Any) -> Sequence[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def evaluations(steps: Mapping[str, Any]) -> list[Evaluation]:
    """Return evaluations in order of frames.

    Of several entries at the same frames, the first one counts: whoever evaluates a finished run
    again adds to its files.

    Raises:
        ValueError: if an entry is not an evaluation in BenchMARL's format.
    """
    found: dict[int, Evaluation] = {}
    for key, step in steps.items():
        if not key.startswith("step_"):
            continue
        if not isinstance(step, dict) or "step_count" not in step:
            raise ValueError(f"{key} has no step_count; the file is not in BenchMARL's format")
        check_one(step["step_count"], COUNT, f"step_count of {key}")
        frames = int(step["step_count"])
        if frames not in found:
            found[frames] = Evaluation(frames, metrics(step, f"evaluation at {frames} frames"))
    return [found[frames] for frames in sorted(found)]


def absolute_metric(steps: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the values in ``absolute_metrics``, by metric; empty if there are none.

    Raises:
        ValueError: if the entry is not one of metrics.
    """
    entry = steps.get("absolute_metrics") or {}
    if not isinstance(entry, dict):
        raise ValueError(f"absolute_metrics is {reprlib.repr(entry)}, need a mapping of metrics")
    return metrics(entry, "absolute metric") if entry else {}


def metrics(step: Mapping[str, Any], where: str) -> dict[str, list[float]]:
    """Return the metrics whose values are all finite; the return must be one of them.

    Raises:
        ValueError: if the return is not among them, or if a metric has no usable name.
    """
    kept = {
        key: [float(value) for value in values]
        for key, values in step.items()
        if isinstance(values, list) and values and all(map(is_number, values))
    }
    if "return" not in kept:
        raise ValueError(
            f"{where} has return {reprlib.repr(step.get('return'))}, need one finite value per "
            "episode, none above 1e+100"
        )
    for key in kept:
        check_one(key, NAME, f"a metric of {where}")
    whole = kept["return"]  # with one group of agents, that of the group, too
    return {key: whole if values == whole else values for key, values in kept.items()}
