"""Checks of whether runs can be compared: what differs, what is missing, what is too little."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarl_hyper.report.output.places import Places
from benchmarl_hyper.report.output.text import count, listed
from benchmarl_hyper.report.reading.run import Run
from benchmarl_hyper.report.statistics.estimators import MIN_SEEDS
from benchmarl_hyper.report.statistics.scores import Groups, common_frames
from benchmarl_hyper.run_files import flat

# The sections that decide how a run trains. The other ones name, measure or place runs.
SECTIONS = ("experiment", "algorithm", "task", "model", "critic_model")
# Settings that a label already shows
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
# Sections whose keys depend on what is chosen: a hypernetwork has sizes that an MLP does not have
CHOSEN = ("algorithm", "model", "critic_model")
ABSENT = "absent"


class Difference(NamedTuple):
    """A setting that has several values among the runs of a task.

    Attributes:
        key: the dotted name of the setting.
        tasks: the tasks on which it has these values.
        values: the labels that have each value. A value is JSON, or ``absent``.
        flagged: whether the report warns of it, because the labels do not explain it.
    """

    key: str
    tasks: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    flagged: bool


def _training(run: Run) -> dict[str, str]:
    sections = {key: run.settings[key] for key in SECTIONS if key in run.settings}
    return {
        key: json.dumps(value, sort_keys=True, default=str)
        for key, value in flat(sections).items()
        if key not in BOOKKEEPING
    }


def common(runs: Iterable[Run]) -> dict[str, str]:
    """Return the settings that are the same in all runs whose settings are known."""
    known = [_training(run) for run in runs if run.settings]
    if not known:
        return {}
    shared = set.intersection(*(set(settings.items()) for settings in known))
    return dict(sorted(shared))


def differences(runs: Iterable[Run]) -> list[Difference]:
    """Return the settings that differ between runs of the same task.

    Tasks with the same difference share one entry. A difference is flagged if the labels do not
    explain it. By design, labels differ in which keys their model and algorithm have, and in the
    values of keys that not all of them have. The same model, or the same key in all runs, has one
    value.
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
                flag = _flagged(key, runs_of_task)
                found[key, tuple(values.items()), flag].append(task)
    return [
        Difference(key, tuple(names), dict(values), flag)
        for (key, values, flag), names in found.items()
    ]


def _values(key: str, runs: Sequence[tuple[str, dict[str, str]]]) -> dict[str, tuple[str, ...]]:
    labels: dict[str, set[str]] = defaultdict(set)
    for label, settings in runs:
        labels[settings.get(key, ABSENT)].add(label)
    return {value: tuple(sorted(names)) for value, names in sorted(labels.items())}


def _flagged(key: str, runs: Sequence[tuple[str, dict[str, str]]]) -> bool:
    section = key.partition(".")[0]
    if key in IN_LABEL:
        return False
    values: dict[str | None, set[str]] = defaultdict(set)  # those of each model's own key, by model
    lacking = section in CHOSEN and any(key not in settings for _, settings in runs)
    for _, settings in runs:
        if not lacking:
            values[None].add(settings.get(key, ABSENT))
        elif key in settings:
            values[settings.get(f"{section}.name")].add(settings[key])
    return any(len(own) > 1 for own in values.values())


def warnings(
    groups: Groups, differences: Iterable[Difference], places: Places | None = None
) -> list[str]:
    """Return warnings as sentences, the most serious ones first.

    Args:
        groups: runs by task and label.
        differences: the settings that differ between them.
        places: what the report tells of machines; None for no paths.
    """
    places = places or Places()
    runs = [run for labels in groups.values() for label in labels.values() for run in label]
    return [
        *(_difference(difference, places) for difference in differences if difference.flagged),
        *(text for task, labels in groups.items() for text in _frames(task, labels)),
        *(text for task, labels in groups.items() for text in _seeds(task, labels)),
        *_few(groups),
        *(text for task, labels in groups.items() for text in _episodes(task, labels)),
        *_versions(runs),
        *_unknown(runs),
    ]


def _difference(difference: Difference, places: Places) -> str:
    texts = [
        f"{places.setting(difference.key, value)} in {listed(names)}"
        for value, names in difference.values.items()
    ]
    values = listed(texts, 8, "; ")
    sets = [set(names) for names in difference.values.values()]
    where = listed(difference.tasks)
    if len(set.union(*sets)) < sum(map(len, sets)):
        return f"Runs with the same label differ in {difference.key} ({where}): {values}."
    return f"Labels differ in {difference.key} ({where}), which their names may not show: {values}."


def _frames(task: str, labels: Mapping[str, Sequence[Run]]) -> Iterable[str]:
    runs = [run for label in labels.values() for run in label]
    last: dict[int, set[str]] = defaultdict(set)
    for run in runs:
        last[run.evaluations[-1].frames].add(run.label)
    if len(last) > 1:
        texts = [f"{end:,} in {listed(sorted(last[end]))}" for end in sorted(last)]
        ends = listed(texts, 8, "; ")
        yield f"On {task}, final returns are from different numbers of frames: {ends}."
    frames = [{evaluation.frames for evaluation in run.evaluations} for run in runs]
    every, common = set.union(*frames), common_frames(runs)
    if len(common) < len(every):
        kept = f"{len(common)} of {len(every)}, {len(every) - len(common)} dropped"
        yield (
            f"On {task}, runs were evaluated after different numbers of frames. Curves show only "
            f"the evaluation points that all runs have ({kept})."
        )


def _seeds(task: str, labels: Mapping[str, Sequence[Run]]) -> Iterable[str]:
    seeds = {label: {run.seed for run in runs} for label, runs in labels.items()}
    every = set.union(*seeds.values())
    missing = {label: sorted(every - have, key=_number) for label, have in seeds.items()}
    texts = [f"{label} lacks {listed(gone, 10)}" for label, gone in missing.items() if gone]
    if texts:
        yield f"On {task}, labels have different seeds: {listed(texts, 8, '; ')}."


def _number(seed: str) -> tuple[int, str]:
    return len(seed), seed


def _few(groups: Groups) -> Iterable[str]:
    few = [
        f"{label} on {task} ({len(runs)})"
        for task, labels in groups.items()
        for label, runs in labels.items()
        if len(runs) < MIN_SEEDS
    ]
    if few:
        yield f"No interval, because there are fewer than {MIN_SEEDS} seeds: {listed(few, 6)}."


def _episodes(task: str, labels: Mapping[str, Sequence[Run]]) -> Iterable[str]:
    episodes: dict[int, set[str]] = defaultdict(set)
    for label, runs in labels.items():
        for run in runs:
            episodes[len(run.evaluations[-1].metrics["return"])].add(label)
    if len(episodes) > 1:
        texts = [f"{n} in {listed(sorted(episodes[n]))}" for n in sorted(episodes)]
        found = listed(texts, 8, "; ")
        yield f"On {task}, evaluations have different numbers of episodes: {found}."


def _versions(runs: Sequence[Run]) -> Iterable[str]:
    for package, counts in versions(runs).items():
        if len(counts) > 1:
            texts = listed([f"{one} in {count(n, 'run')}" for one, n in counts.items()], 8)
            yield f"Runs used different versions of {package}: {texts}."


def versions(runs: Iterable[Run]) -> dict[str, Counter[str]]:
    """Return how many runs used each version of each package."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for run in runs:
        for package, version in (run.record.get("versions") or {}).items():
            found[package][str(version)] += 1
    return dict(sorted(found.items()))


def _unknown(runs: Sequence[Run]) -> Iterable[str]:
    unknown = sorted({run.label for run in runs if not run.settings})
    if unknown:
        n = sum(not run.settings for run in runs)
        yield (
            f"The settings of {count(n, 'run')} are unknown ({listed(unknown)}), so the report "
            "cannot tell whether they differ in more than their labels."
        )
