"""Settings in which the runs of a comparison differ."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarl_hyper.report.reading.results import Run

# The part of a configuration that decides about training. The rest names, measures or places runs.
SECTIONS = ("experiment", "algorithm", "task", "model", "critic_model")
# What a label says already
IN_LABEL = {"experiment.share_policy_params", "model.name", "critic_model.name"}
BOOKKEEPING = {
    "experiment.checkpoint_at_end",
    "experiment.checkpoint_interval",
    "experiment.create_json",
    "experiment.exclude_buffer_from_checkpoint",
    "experiment.keep_checkpoints_num",
    "experiment.loggers",
    "experiment.project_name",
    "experiment.render",
    "experiment.restore_file",
    "experiment.restore_map_location",
    "experiment.save_folder",
    "experiment.wandb_extra_kwargs",
}
# Sections whose keys depend on the choice: a hypernetwork has sizes that an MLP does not
CHOSEN = ("algorithm", "model", "critic_model")
ABSENT = "absent"


class Difference(NamedTuple):
    """A setting with several values among the runs of a task.

    ``values`` has the labels of each value; ``flagged`` says whether labels alone explain it not.
    """

    key: str
    tasks: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    flagged: bool


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted keys and values as JSON: ``{"model.num_cells": "[64, 64]"}``."""
    settings: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            settings |= flat(value, f"{prefix}{key}.")
        else:
            settings[f"{prefix}{key}"] = json.dumps(value, sort_keys=True, default=str)
    return settings


def _training(run: Run) -> dict[str, str]:
    sections = {key: run.settings[key] for key in SECTIONS if key in run.settings}
    return {key: value for key, value in flat(sections).items() if key not in BOOKKEEPING}


def common(runs: Iterable[Run]) -> dict[str, str]:
    """Settings that are the same in all runs whose settings are known."""
    known = [_training(run) for run in runs if run.settings]
    if not known:
        return {}
    shared = set.intersection(*(set(settings.items()) for settings in known))
    return dict(sorted(shared))


def differences(runs: Iterable[Run]) -> list[Difference]:
    """Of runs of the same task; tasks with the same difference are put together.

    Flagged is what the labels do not say. By design, labels differ in which keys the model and the
    algorithm have, and not in the values of those keys that they share.
    """
    tasks: dict[str, list[tuple[str, dict[str, str]]]] = defaultdict(list)
    for run in runs:
        if run.settings:
            tasks[run.task].append((run.label, _training(run)))
    found: dict[tuple[str, tuple[tuple[str, tuple[str, ...]], ...], bool], list[str]]
    found = defaultdict(list)
    for task, runs_of_task in tasks.items():
        for key in sorted({key for _, settings in runs_of_task for key in settings}):
            values = _values(key, runs_of_task)
            if len(values) > 1:
                found[key, tuple(values.items()), _flagged(key, values)].append(task)
    return [
        Difference(key, tuple(names), dict(values), flag)
        for (key, values, flag), names in found.items()
    ]


def _values(key: str, runs: Sequence[tuple[str, dict[str, str]]]) -> dict[str, tuple[str, ...]]:
    labels: dict[str, set[str]] = defaultdict(set)
    for label, settings in runs:
        labels[settings.get(key, ABSENT)].add(label)
    return {value: tuple(sorted(names)) for value, names in sorted(labels.items())}


def _flagged(key: str, values: Mapping[str, tuple[str, ...]]) -> bool:
    if key in IN_LABEL:
        return False
    by_choice = key.partition(".")[0] in CHOSEN and ABSENT in values
    return len(values) > 1 + by_choice
