"""Results in marl-eval's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarl_hyper.report.reading.results import Evaluation, Run
from benchmarl_hyper.report.statistics.across_tasks import evenly
from benchmarl_hyper.report.statistics.scores import Groups, common_frames


def marl_eval(groups: Groups) -> tuple[dict[str, Any], list[str]]:
    """Results in marl-eval's layout, and what had to be left out of it.

    It wants the same algorithms, numbers of runs and numbers of steps on all tasks of an
    environment. So labels that miss a task are left out, runs beyond the fewest are, and of
    evaluations that all runs of a task have, as many are kept as the task with the fewest has.

    ``absolute_metrics`` are those of our runs if all runs have them, and the last evaluation's
    otherwise.
    """
    environments: dict[str, dict[str, Mapping[str, Sequence[Run]]]] = {}
    for task, labels in groups.items():
        environment, _, name = task.partition("/")
        environments.setdefault(environment, {})[name] = labels
    exported: dict[str, Any] = {}
    notes: list[str] = []
    for environment, tasks in environments.items():
        exported[environment] = _environment(environment, tasks, notes)
    return {name: tasks for name, tasks in exported.items() if tasks}, notes


def _environment(
    environment: str, tasks: Mapping[str, Mapping[str, Sequence[Run]]], notes: list[str]
) -> dict[str, Any]:
    every = sorted(set().union(*tasks.values()))
    kept = [label for label in every if all(label in labels for labels in tasks.values())]
    notes += [f"{label} misses a task of {environment}" for label in every if label not in kept]
    frames = {
        task: common_frames(run for label in kept for run in labels[label])
        for task, labels in tasks.items()
    }
    n_runs = min((len(labels[label]) for labels in tasks.values() for label in kept), default=0)
    n_steps = min(map(len, frames.values()))
    if not n_runs or not n_steps:
        notes.append(f"{environment} has no label with evaluations that all its runs share")
        return {}
    runs = [run for labels in tasks.values() for label in kept for run in labels[label]]
    if len(runs) > n_runs * len(kept) * len(tasks):
        notes.append(f"runs of {environment} beyond the first {n_runs} of each task and label")
    if max(map(len, frames.values())) > n_steps:
        notes.append(f"evaluations of {environment} beyond {n_steps} per run")
    use_absolute = all(run.absolute for run in runs)
    return {
        task: {
            label.replace(",", ";"): {
                f"seed_{run.seed}": _run(run, _thinned(frames[task], n_steps), use_absolute)
                for run in labels[label][:n_runs]
            }
            for label in kept
        }
        for task, labels in tasks.items()
    }


def _thinned(frames: Sequence[int], points: int) -> set[int]:
    return {frames[index] for index in evenly(len(frames), points)}


def _run(run: Run, frames: set[int], use_absolute: bool) -> dict[str, Any]:
    steps = [evaluation for evaluation in run.evaluations if evaluation.frames in frames]
    last = run.evaluations[-1].metrics
    exported: dict[str, Any] = {f"step_{i}": _step(step) for i, step in enumerate(steps)}
    absolute = run.absolute if use_absolute else last
    return {**exported, "absolute_metrics": {"return": absolute["return"]}}


def _step(evaluation: Evaluation) -> dict[str, Any]:
    return {"step_count": evaluation.frames, "return": evaluation.metrics["return"]}
