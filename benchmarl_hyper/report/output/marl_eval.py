"""Export of results in marl-eval's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarl_hyper.report.output.text import count
from benchmarl_hyper.report.reading.run import Evaluation, Run
from benchmarl_hyper.report.statistics.across_tasks import evenly
from benchmarl_hyper.report.statistics.scores import Groups, common_frames


def marl_eval(groups: Groups) -> tuple[dict[str, Any], list[str]]:
    """Return results in marl-eval's layout, and notes on what had to be left out.

    marl-eval needs the same algorithms, number of runs and number of steps on all tasks of an
    environment. Labels without runs on one of the tasks are therefore left out. Every task and
    label keeps the same number of runs: the smallest number that one of them has. Every run keeps
    the same number of evaluations: the smallest number that the runs of one task have in common.

    ``absolute_metrics`` holds our absolute metric if all runs have it, and the last evaluation
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
    lacking = [label for label in every if label not in kept]
    notes += [f"{label}, which has no runs on some tasks of {environment}" for label in lacking]
    frames = {
        task: common_frames(run for label in kept for run in labels[label])
        for task, labels in tasks.items()
    }
    n_runs = min((len(labels[label]) for labels in tasks.values() for label in kept), default=0)
    n_steps = min(map(len, frames.values()))
    if not n_runs or not n_steps:
        notes.append(
            f"all of {environment}, where no label has runs on all tasks, or where a task has no "
            "evaluation that all of its runs share"
        )
        return {}
    runs = [run for labels in tasks.values() for label in kept for run in labels[label]]
    if len(runs) > n_runs * len(kept) * len(tasks):
        notes.append(f"runs on {environment} beyond {count(n_runs, 'run')} per task and label")
    if max(map(len, frames.values())) > n_steps:
        notes.append(f"evaluations on {environment} beyond {count(n_steps, 'point')} per run")
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
    return {**exported, "absolute_metrics": {"return": _short(absolute["return"])}}


def _step(evaluation: Evaluation) -> dict[str, Any]:
    return {"step_count": evaluation.frames, "return": _short(evaluation.metrics["return"])}


def _short(values: Sequence[float]) -> list[float]:
    """Return numbers with the digits that tell float32 apart; others would double the file."""
    return [float(f"{value:.9g}") for value in values]
