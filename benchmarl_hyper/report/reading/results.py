"""Readers of results, ours and BenchMARL's: runs, and files that could not be used."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarl_hyper.report.reading.archives import unpacked
from benchmarl_hyper.report.reading.benchmarl_labels import benchmarl_label
from benchmarl_hyper.run_files import CHECKPOINTS, CONFIG, RECORD
from benchmarl_hyper.terminal import last_line

OWN_EXPORT = "marl_eval.json"
WITHOUT_RESULTS = {".hydra", CHECKPOINTS, "scalars", "texts", "videos"}
# The loader written in C takes a tenth of the time, which matters with a thousand runs
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Evaluation(NamedTuple):
    """An evaluation: the frames of training before it, and each metric's value per episode."""

    frames: int
    metrics: Mapping[str, list[float]]


@dataclass(frozen=True)
class Run:
    """One finished run.

    ``absolute`` has each metric's values in fresh episodes with the policy of the best evaluation.
    It is empty for BenchMARL's own runs, where the entry of that name is the best single episode.
    ``settings`` is the resolved configuration, and ``record`` is our ``run.json``. Each is empty if
    the run has none.
    """

    task: str
    label: str
    seed: str
    file: Path
    folder: Path
    evaluations: Sequence[Evaluation]
    absolute: Mapping[str, list[float]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def final_return(self) -> float:
        """The mean return over the episodes of the last evaluation."""
        return _mean(self.evaluations[-1].metrics["return"])

    @property
    def absolute_return(self) -> float | None:
        """The absolute metric: the mean return over its episodes; None if it was not measured."""
        return _mean(self.absolute["return"]) if self.absolute else None


class Dropped(NamedTuple):
    """A file that the report does not use, and the reason."""

    path: Path
    reason: str


class Results(NamedTuple):
    """The runs that were found, in order of task, label and seed, and the files not used."""

    runs: list[Run]
    dropped: list[Dropped]


def read(folders: Sequence[Path]) -> Results:
    """Read all finished runs below folders, each of them once.

    JSON files of other kinds are ignored.

    Args:
        folders: run folders, folders of sweeps, folders above them, or archives of such folders.

    Raises:
        ValueError: if ``archives.unpacked`` refuses an archive, if a folder does not exist, if no
            run is finished, or if two runs have the same task, label and seed.
    """
    runs: list[Run] = []
    dropped = []
    for path in dict.fromkeys(file for folder in unpacked(folders) for file in _files(folder)):
        try:
            runs += list(_own(path) if path.name == RECORD else _benchmarls(path))
        except (ValueError, TypeError, AttributeError, OSError, yaml.YAMLError) as error:
            dropped.append(Dropped(path, " ".join(str(error).split())))
    if not runs:
        raise ValueError(_nothing(folders, dropped))
    _refuse_twins(runs)
    return Results(sorted(runs, key=_order), dropped)


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder; give a run folder, the folder of a sweep, or one above them"
        )
    for path, names, files in os.walk(folder.resolve()):
        names[:] = sorted(set(names) - WITHOUT_RESULTS)
        if RECORD in files:  # a run folder, which may also hold earlier attempts
            names.clear()
            files = [RECORD]
        wanted = (name for name in sorted(files) if name.endswith(".json") and name != OWN_EXPORT)
        yield from (Path(path, name) for name in wanted)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON, maybe half-written ({error})") from error


def _own(path: Path) -> Iterator[Run]:
    folder, record = path.parent, _load(path)
    missing = {"status", "label"} - set(record if isinstance(record, dict) else ())
    if missing:
        raise ValueError(
            f"{RECORD} lacks {sorted(missing)}, so our runner has not written it; rename the file"
        )
    if record["status"] != "done":
        raise ValueError(_unfinished(record))
    files = sorted(file for file in folder.glob("*/*.json") if file.stem == file.parent.name)
    if len(files) != 1:
        names = ", ".join(str(file.relative_to(folder)) for file in files) or "none"
        raise ValueError(f"status is 'done', but there must be one results file, found: {names}")
    recorded = list(_recorded(_load(files[0])))
    if not recorded:
        raise ValueError(f"status is 'done', but {files[0].name} has no evaluation")
    config = _config(folder / CONFIG)
    for task, _, seed, steps in recorded:
        absolute = {} if record.get("absolute_frames") is None else steps.get("absolute_metrics")
        yield Run(
            task=task,
            label=record["label"],
            seed=seed,
            file=files[0],
            folder=folder,
            evaluations=_evaluations(steps),
            absolute=_metrics(absolute, "absolute metric") if absolute else {},
            settings=config,
            record=record,
        )


def _unfinished(record: Mapping[str, Any]) -> str:
    error = last_line(record.get("error"))
    progress = f"{record.get('frames')} of {record.get('max_frames')} frames"
    return f"status is {record['status']!r} at {progress}" + (f": {error}" if error else "")


def _benchmarls(path: Path) -> Iterator[Run]:
    near = (parent / ".hydra" for parent in path.parents[:2])
    hydra = next((folder for folder in near if (folder / "config.yaml").is_file()), None)
    for task, label, seed, steps in _recorded(_load(path)):
        config: Mapping[str, Any] = {}
        if hydra is not None:
            config = _config(hydra / "config.yaml")
            runtime = _config(hydra / "hydra.yaml").get("hydra", {}).get("runtime", {})
            choices = runtime.get("choices", {})
            # Other files already have a label that is more than the algorithm
            if str(choices.get("algorithm", "")).startswith(label):
                label = benchmarl_label(label, config, choices)
        folder = path.parent if hydra is None else hydra.parent
        absolute = steps.get("absolute_metrics") or {}
        if len(absolute.get("return", ())) == 1:  # BenchMARL's entry: the best single episode
            absolute = {}
        yield Run(
            task=task,
            label=label,
            seed=seed,
            file=path,
            folder=folder,
            evaluations=_evaluations(steps),
            absolute=_metrics(absolute, "absolute metric") if absolute else {},
            settings=config,
        )


def _config(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    config = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    return config if isinstance(config, dict) else {}


def _recorded(results: Any) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield task, label, seed and steps of each run in a file of marl-eval's layout.

    Other JSON yields nothing.
    """
    for environment, tasks in _items(results):
        for task, labels in _items(tasks):
            for label, seeds in _items(labels):
                for seed, steps in _items(seeds):
                    if any(key.startswith("step_") for key, _ in _items(steps)):
                        yield f"{environment}/{task}", label, seed.removeprefix("seed_"), steps


def _items(value: Any) -> Sequence[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _evaluations(steps: Mapping[str, Any]) -> list[Evaluation]:
    found: dict[int, Evaluation] = {}
    for key, step in steps.items():
        if not key.startswith("step_"):
            continue
        if "step_count" not in step:
            raise ValueError(f"{key} has no step_count; the file is not in BenchMARL's format")
        frames = int(step["step_count"])
        evaluation = Evaluation(frames, _metrics(step, f"evaluation at {frames} frames"))
        found.setdefault(frames, evaluation)  # a later one evaluates the same policy again
    return [found[frames] for frames in sorted(found)]


def _metrics(step: Mapping[str, Any], name: str) -> dict[str, list[float]]:
    """Return the metrics that are finite in all episodes; the return must be one of them."""
    metrics = {
        key: [float(value) for value in values]
        for key, values in step.items()
        if isinstance(values, list) and values and all(map(_finite, values))
    }
    if "return" not in metrics:
        raise ValueError(
            f"{name} has return {step.get('return')}, need one finite value per episode"
        )
    return metrics


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _nothing(folders: Sequence[Path], dropped: Sequence[Dropped]) -> str:
    where = ", ".join(map(str, folders))
    if not dropped:
        return f"no runs in {where}; give a folder of runs made with experiment.create_json=True"
    reasons = "; ".join(f"{path}: {reason}" for path, reason in dropped[:10])
    more = f"; and {len(dropped) - 10} more" if len(dropped) > 10 else ""
    return f"no finished runs in {where}; these files could not be used: {reasons}{more}"


def _refuse_twins(runs: Sequence[Run]) -> None:
    seen: dict[tuple[str, str, str], Run] = {}
    for run in runs:
        key = (run.task, run.label, run.seed)
        if key in seen:
            raise ValueError(
                f"two runs of task {run.task} have label {run.label} and seed {run.seed}: "
                f"{seen[key].folder} and {run.folder}; give only one of the folders, or "
                "run one of them with another label=..."
            )
        seen[key] = run


def _order(run: Run) -> tuple[list[tuple[int, str]], str, int, str]:
    """Return a key to sort runs by task, label and seed.

    Numbers in names of tasks count by value: ``specialisation_2`` is before ``specialisation_16``.
    """
    task = [(int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", run.task)]
    return task, run.label, len(run.seed), run.seed
