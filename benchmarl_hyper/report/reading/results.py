"""The reader of results, ours and BenchMARL's: runs, and files that could not be used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from benchmarl_hyper.report.reading.archives import unpacked
from benchmarl_hyper.report.reading.benchmarl_runs import benchmarl_runs
from benchmarl_hyper.report.reading.compact import ENDING, compact_runs
from benchmarl_hyper.report.reading.own_runs import own_run
from benchmarl_hyper.report.reading.run import Dropped, Place, Results, Run
from benchmarl_hyper.run_files import CHECKPOINTS, RECORD

OWN_EXPORT = "marl_eval.json"
WITHOUT_RESULTS = {".hydra", CHECKPOINTS, "scalars", "texts", "videos"}
MOST_NAMED, MOST_FOLDERS = 10, 50
Found: TypeAlias = Run | Dropped


def read(folders: Sequence[Path]) -> Results:
    """Read all finished runs below folders, each of them once.

    JSON files of other kinds are ignored. Links are not followed. What was read holds what
    ``schema`` says.

    Args:
        folders: run folders, folders of sweeps, folders above them, or archives of such folders.

    Raises:
        ValueError: if an archive is refused, if a folder does not exist, or if no run can be used.
    """
    found: list[Found] = []
    seen: set[Path] = set()
    compact = [path for path in map(Path, folders) if path.is_file() and path.suffix == ENDING]
    for path in compact:
        found += compact_runs(path)
    others = [path for path in map(Path, folders) if path not in compact]
    with unpacked(others) as roots:
        for given, root in zip(others, roots, strict=True):
            for path, problem in _files(root, given):
                place = Place(str(given), _inside(path, root))
                if problem:
                    found.append(Dropped(place, problem))
                elif path not in seen:
                    found += _runs(path, place)
                seen.add(path)
    runs, twins = _without_twins([one for one in found if isinstance(one, Run)])
    dropped = [*(one for one in found if isinstance(one, Dropped)), *twins]
    if not runs:
        raise ValueError(_nothing(folders, dropped))
    return Results(sorted(runs, key=_order), dropped)


def _inside(path: Path, root: Path) -> str:
    inside = path.relative_to(root.resolve()).as_posix()
    return "" if inside == "." else inside


def _files(root: Path, given: Path) -> Iterator[tuple[Path, str]]:
    """Yield the JSON files below a folder that may be of runs, and folders that cannot be read."""
    if not root.is_dir():
        raise ValueError(
            f"{given} is not a folder; give a run folder, the folder of a sweep, or one above them"
        )
    problems: list[OSError] = []
    above = str(root.resolve()).count(os.sep)
    for path, names, files in os.walk(root.resolve(), onerror=problems.append):
        links = [name for name in names if os.path.islink(os.path.join(path, name))]
        for name in sorted(links):
            if Path(path, name, RECORD).exists():
                yield Path(path, name), "it is a link, which a report does not follow; give its run"
        names[:] = sorted({*names} - WITHOUT_RESULTS - {*links})
        if names and path.count(os.sep) - above > MOST_FOLDERS:
            yield Path(path), f"it lies in more than {MOST_FOLDERS} folders; give it alone"
            names.clear()
        if RECORD in files:  # a run folder, which may also hold earlier attempts
            names.clear()
            files = [RECORD]
        wanted = (name for name in sorted(files) if name.endswith(".json") and name != OWN_EXPORT)
        yield from ((Path(path, name), "") for name in wanted)
    yield from ((Path(error.filename), f"{error.strerror}") for error in problems)


def _runs(path: Path, place: Place) -> Iterable[Found]:
    """Return what one file holds; a file that cannot be used is no reason to stop."""
    try:
        return list((own_run if path.name == RECORD else benchmarl_runs)(path, place))
    except OSError as error:
        return [Dropped(place, error.strerror or str(error))]
    except (ValueError, RecursionError) as error:
        return [Dropped(place, " ".join(str(error).split()))]


def _without_twins(runs: Sequence[Run]) -> tuple[list[Run], list[Dropped]]:
    """Take out runs with the same task, label and seed, since nobody knows which one counts."""
    same: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        same.setdefault((run.task, run.label, run.seed), []).append(run)
    kept = [twins[0] for twins in same.values() if len(twins) == 1]
    return kept, [_twins(twins) for twins in same.values() if len(twins) > 1]


def _twins(runs: Sequence[Run]) -> Dropped:
    first, second, *more = runs
    number = "two" if not more else str(len(runs))
    return Dropped(
        first.place,
        f"{number} runs of task {first.task} have label {first.label} and seed {first.seed}: "
        f"{first.place} and {second.place}{' and others' * bool(more)}; give only one of the "
        "folders, or run one of them with another label=...",
    )


def _nothing(folders: Sequence[Path], dropped: Sequence[Dropped]) -> str:
    where = ", ".join(map(str, folders))
    if not dropped:
        return f"no runs in {where}; give a folder of runs made with experiment.create_json=True"
    reasons = "; ".join(f"{one.place}: {one.reason}" for one in dropped[:MOST_NAMED])
    more = f"; and {len(dropped) - MOST_NAMED} more" if len(dropped) > MOST_NAMED else ""
    return f"no finished runs in {where}; these files could not be used: {reasons}{more}"


def _order(run: Run) -> tuple[list[tuple[int, str]], str, int, str]:
    """Return a key to sort runs by task, label and seed.

    Numbers in names of tasks count by value: ``specialisation_2`` is before ``specialisation_16``.
    """
    parts = re.split(r"([0-9]{1,18})", run.task)
    task = [(int(part) if i % 2 else 0, part) for i, part in enumerate(parts)]
    return task, run.label, len(run.seed), run.seed
