"""The reader of a run folder of our runner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarl_hyper.report.reading.diagnostics import read as read_diagnostics
from benchmarl_hyper.report.reading.evaluations import absolute_metric, evaluations, recorded
from benchmarl_hyper.report.reading.files import read_json, read_settings
from benchmarl_hyper.report.reading.run import Dropped, Place, Recording, Run
from benchmarl_hyper.report.reading.schema import NAME, RECORD, SETTINGS, check, check_one
from benchmarl_hyper.run_files import CONFIG, DIAGNOSTICS
from benchmarl_hyper.terminal import last_line


def own_run(path: Path, place: Place) -> Iterator[Run | Dropped]:
    """Yield the run of a run folder, and what of it could not be used.

    Args:
        path: the path of its ``run.json``.
        place: where that is.

    Raises:
        ValueError: if the run is not finished, or if its files do not hold what ``schema`` says.
    """
    record = read_json(path)
    missing = {"status", "label"} - set(record if isinstance(record, dict) else ())
    if missing:
        raise ValueError(
            f"{path.name} lacks {sorted(missing)}, so our runner has not written it; rename the "
            "file"
        )
    check(record, RECORD, path.name)
    if record["status"] != "done":
        raise ValueError(_unfinished(record))
    results = _results(path.parent)
    found = list(recorded(read_json(results)))
    if len(found) != 1:
        having = f"{len(found)} runs" if found else "no evaluation"
        raise ValueError(f"status is 'done', but {results.name} has {having}")
    task, _, seed, steps = found[0]
    check_one(task, NAME, f"the task of {results.name}")
    check_one(seed, NAME, f"the seed of {results.name}")
    settings = read_settings(path.parent / CONFIG)
    check(settings, SETTINGS, CONFIG)
    recording, problem = recording_beside(results)
    if problem:
        inside = place.inside.removesuffix(path.name) + f"{results.parent.name}/{DIAGNOSTICS}"
        yield Dropped(place._replace(inside=inside), problem, whole=False)
    yield Run(
        task=task,
        label=record["label"],
        seed=seed,
        place=place._replace(inside=place.inside.removesuffix(path.name).rstrip("/")),
        evaluations=evaluations(steps),
        absolute={} if record.get("absolute_frames") is None else absolute_metric(steps),
        settings=settings,
        record=record,
        recording=recording,
    )


def _results(folder: Path) -> Path:
    """Return the results file in the folder of the experiment, which has the same name."""
    inner = (one for one in sorted(folder.iterdir()) if one.is_dir() and not one.is_symlink())
    files = [file for one in inner if (file := one / f"{one.name}.json").is_file()]
    if len(files) != 1:
        names = ", ".join(file.relative_to(folder).as_posix() for file in files) or "none"
        raise ValueError(f"status is 'done', but there must be one results file, found: {names}")
    return files[0]


def _unfinished(record: Mapping[str, Any]) -> str:
    error = last_line(record.get("error"))
    progress = f"{record.get('frames')} of {record.get('max_frames')} frames"
    return f"status is {record['status']!r} at {progress}" + (f": {error}" if error else "")


def recording_beside(results: Path) -> tuple[Recording | None, str | None]:
    """Read the diagnostics next to a results file.

    Returns:
        The recording, None if there is none; and what of it could not be used, None if nothing.
    """
    path = results.parent / DIAGNOSTICS
    if not path.exists():
        return None, None
    try:
        return read_diagnostics(path)
    except (ValueError, OSError) as error:
        return None, str(error)
