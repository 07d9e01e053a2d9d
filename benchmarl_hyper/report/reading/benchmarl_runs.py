"""The reader of results files of BenchMARL's own runner, and of others in its format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarl_hyper.report.reading.benchmarl_labels import benchmarl_label
from benchmarl_hyper.report.reading.evaluations import (
    Recorded,
    absolute_metric,
    evaluations,
    recorded,
)
from benchmarl_hyper.report.reading.files import read_json, read_settings
from benchmarl_hyper.report.reading.own_runs import recording_beside
from benchmarl_hyper.report.reading.run import Dropped, Place, Recording, Run
from benchmarl_hyper.report.reading.schema import (
    MODEL,
    NAME,
    SETTINGS,
    check,
    check_one,
    optional,
)


class _Beside(NamedTuple):
    """What lies around a results file, and holds for all of its runs."""

    settings: Mapping[str, Any]
    choices: Mapping[str, Any] | None
    recording: Recording | None


def benchmarl_runs(path: Path, place: Place) -> Iterator[Run | Dropped]:
    """Yield the runs of a results file, and what of it could not be used.

    A run that does not hold what ``schema`` says is dropped alone. JSON of another kind yields
    nothing.

    Args:
        path: the path of the file.
        place: where that is.

    Raises:
        ValueError: if the file is not JSON, or if what lies beside it cannot be used.
    """
    found = list(recorded(read_json(path)))
    if not found:
        return
    settings, choices = _hydra(path)
    recording, problem = recording_beside(path)
    if problem:
        yield Dropped(place, f"diagnostics beside it: {problem}", whole=False)
    for one in found:
        try:
            yield _run(one, place, _Beside(settings, choices, recording))
        except ValueError as error:
            yield Dropped(place, f"{one.label} on {one.task} with seed {one.seed}: {error}")


def _hydra(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Return the settings and the choices that Hydra wrote near a file; None if it did not."""
    near = (parent / ".hydra" for parent in path.parents[:2])
    folder = next((one for one in near if (one / "config.yaml").is_file()), None)
    if folder is None or folder.is_symlink():
        return {}, None
    settings = read_settings(folder / "config.yaml")
    check(settings, SETTINGS, ".hydra/config.yaml")
    choices: Any = read_settings(folder / "hydra.yaml")
    for key in ("hydra", "runtime", "choices"):
        check_one(choices.get(key), optional(MODEL), f"{key} of .hydra/hydra.yaml")
        choices = choices.get(key) or {}
    return settings, choices


def _run(one: Recorded, place: Place, beside: _Beside) -> Run:
    label, choices = one.label, beside.choices
    # Other files already have a label that is more than the algorithm
    if choices is not None and str(choices.get("algorithm", "")).startswith(label):
        label = benchmarl_label(label, beside.settings, choices)
    for name, value in (("task", one.task), ("label", label), ("seed", one.seed)):
        check_one(value, NAME, name)
    best = one.steps.get("absolute_metrics")
    is_episode = isinstance(best, dict) and _single(best.get("return"))  # BenchMARL's, the best one
    return Run(
        task=one.task,
        label=label,
        seed=one.seed,
        place=place._replace(inside=place.inside.rpartition("/")[0]),
        evaluations=evaluations(one.steps),
        absolute={} if is_episode else absolute_metric(one.steps),
        settings=beside.settings,
        recording=beside.recording,
    )


def _single(values: Any) -> bool:
    return isinstance(values, list) and len(values) == 1
