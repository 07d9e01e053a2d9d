"""The files that a run writes while it trains: results in marl-eval's layout, and diagnostics."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from benchmarl.experiment.logger import JsonWriter
from tensordict import TensorDictBase
from torch import Tensor

from benchmarl_hyper.run_files import DIAGNOSTICS, write_whole
from benchmarl_hyper.running.callbacks import RunCallback
from benchmarl_hyper.running.episodes import info_metrics


class ResultsWriter(JsonWriter):
    """A writer of BenchMARL's JSON results, without their maxima over single episodes.

    The file is always written as a whole. Evaluations that it already holds are kept, so that a run
    can be continued. ``absolute_metrics`` is empty until :meth:`write_absolute` is called.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if self.path.is_file():
            self.run_data.update(
                _entry(json.loads(self.path.read_text(encoding="utf-8")), self.data)
            )

    def write(self, total_frames: int, metrics: Mapping[str, Tensor], evaluation_step: int) -> None:
        """Add values per episode to the evaluation at ``total_frames``, or begin an evaluation.

        Nothing is overwritten: a second evaluation at the same frames, or one off the interval,
        gets the next free number.
        """
        while self._taken(evaluation_step, total_frames, metrics):
            evaluation_step += 1
        step = self.run_data.setdefault(f"step_{evaluation_step}", {"step_count": total_frames})
        step.update({name: _shortest(values) for name, values in metrics.items()})
        self._save()

    def write_absolute(self, metrics: Mapping[str, Tensor]) -> None:
        """Set the absolute metric to values per fresh episode of the best policy."""
        self.run_data["absolute_metrics"] = {k: _shortest(values) for k, values in metrics.items()}
        self._save()

    def _taken(self, number: int, frames: int, metrics: Mapping[str, Tensor]) -> bool:
        step = self.run_data.get(f"step_{number}", {})
        return step.get("step_count", frames) != frames or bool(step.keys() & metrics.keys())

    def _save(self) -> None:
        write_whole(self.path, json.dumps(self.data))


def _entry(recorded: Mapping[str, Any], like: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the run's part of recorded results, four levels down the keys of ``like``, or {}."""
    for _ in range(4):
        ((key, like),) = like.items()
        recorded = recorded.get(key, {})
    return recorded


class ResultsCallback(RunCallback):
    """Record results under a label, with what the task reports at the end of episodes.

    BenchMARL keys results only by algorithm, so two variants with the same seed would overwrite
    each other when their files are merged.

    Args:
        label: label of the run, for example ``ippo_hypermarl_mlp``.
    """

    def __init__(self, label: str):
        super().__init__()
        self.label = label

    def on_setup(self) -> None:
        """Replace the experiment's JSON writer with one that uses the label."""
        run = self.experiment
        if run.config.create_json:
            run.logger.json_writer = ResultsWriter(
                folder=run.folder_name,
                name=f"{run.name}.json",
                algorithm_name=self.label,
                task_name=run.task_name,
                environment_name=run.environment_name,
                seed=run.seed,
            )

    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Add the task's own metrics, for example whether a battle was won."""
        run = self.experiment
        metrics = info_metrics(rollouts)
        if run.config.create_json and metrics:
            step = run.total_frames // run.config.evaluation_interval
            run.logger.json_writer.write(run.total_frames, metrics, step)


def log_scalars(run: Any, stage: str, group: str, values: Mapping[str, float]) -> None:
    """Log values under ``<stage>/<group>``, and append them to the run's diagnostics."""
    logged = {f"{stage}/{group}/{name}": value for name, value in values.items()}
    run.logger.log(logged, step=run.n_iters_performed)
    for name, value in values.items():
        _append(run, group, name, {"value": _finite(value)})


def record_matrix(run: Any, group: str, name: str, matrix: Tensor) -> None:
    """Append a matrix with a row per agent to the run's diagnostics; nan and inf become null."""
    rows = [[_finite(value) for value in row] for row in _shortest(matrix)]
    _append(run, group, name, {"matrix": rows})


def _shortest(values: Tensor) -> list[Any]:
    """Return numbers with as many digits as their dtype needs to distinguish them.

    ``tolist`` alone converts to float64, whose decimals are twice as long as those of float32.
    """
    if not values.is_floating_point():
        return values.tolist()
    return values.numpy(force=True).astype(str).astype(float).tolist()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _append(run: Any, group: str, name: str, content: Mapping[str, Any]) -> None:
    entry = {"frames": run.total_frames, "group": group, "name": name, **content}
    with open(run.folder_name / DIAGNOSTICS, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
