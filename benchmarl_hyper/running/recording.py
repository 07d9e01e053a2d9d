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
    """BenchMARL's JSON of one run, in one piece and without its maxima over single episodes.

    Evaluations that the file holds already are kept, so that a run may be continued.
    ``absolute_metrics`` is empty until :meth:`write_absolute`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if self.path.is_file():
            self.run_data.update(_entry(json.loads(self.path.read_text()), self.data))

    def write(self, total_frames: int, metrics: Mapping[str, Tensor], evaluation_step: int) -> None:
        """Add values per episode to the evaluation at ``total_frames``, or begin one.

        Nothing is overwritten: a second evaluation at the same frames, and one off the interval,
        have the next free number.
        """
        while self._taken(evaluation_step, total_frames, metrics):
            evaluation_step += 1
        step = self.run_data.setdefault(f"step_{evaluation_step}", {"step_count": total_frames})
        step.update({name: _shortest(values) for name, values in metrics.items()})
        self._save()

    def write_absolute(self, metrics: Mapping[str, Tensor]) -> None:
        """Set the absolute metric: values per fresh episode of the best policy."""
        self.run_data["absolute_metrics"] = {k: _shortest(values) for k, values in metrics.items()}
        self._save()

    def _taken(self, number: int, frames: int, metrics: Mapping[str, Tensor]) -> bool:
        step = self.run_data.get(f"step_{number}", {})
        return step.get("step_count", frames) != frames or bool(step.keys() & metrics.keys())

    def _save(self) -> None:
        write_whole(self.path, json.dumps(self.data))


def _entry(recorded: Mapping[str, Any], like: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run's part of recorded results: four levels down the keys of ``like``, or nothing."""
    for _ in range(4):
        ((key, like),) = like.items()
        recorded = recorded.get(key, {})
    return recorded


class ResultsCallback(RunCallback):
    """Record results under a label of one's own, with what the task says of an episode's end.

    BenchMARL keys its results by algorithm alone, so that two variants with one seed would
    overwrite each other when their files are merged.

    Args:
        label: for example ``ippo_hypermarl_mlp``.
    """

    def __init__(self, label: str):
        super().__init__()
        self.label = label

    def on_setup(self) -> None:
        """Replace the experiment's JSON writer by one with the label."""
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
        """Add the metrics of the task, for example whether a battle was won."""
        run = self.experiment
        metrics = info_metrics(rollouts)
        if run.config.create_json and metrics:
            step = run.total_frames // run.config.evaluation_interval
            run.logger.json_writer.write(run.total_frames, metrics, step)


def log_scalars(run: Any, stage: str, group: str, values: Mapping[str, float]) -> None:
    """Log under ``<stage>/<group>``, and append to the run's diagnostics."""
    logged = {f"{stage}/{group}/{name}": value for name, value in values.items()}
    run.logger.log(logged, step=run.n_iters_performed)
    for name, value in values.items():
        _append(run, group, name, {"value": _finite(value)})


def record_matrix(run: Any, group: str, name: str, matrix: Tensor) -> None:
    """Append a matrix with a row per agent to the run's diagnostics; nan becomes null."""
    rows = [[_finite(value) for value in row] for row in _shortest(matrix)]
    _append(run, group, name, {"matrix": rows})


def _shortest(values: Tensor) -> list[Any]:
    """Numbers with the digits that tell them apart in their dtype, and no more.

    ``tolist`` makes float64 of them, which has twice the digits of float32.
    """
    if not values.is_floating_point():
        return values.tolist()
    return values.numpy(force=True).astype(str).astype(float).tolist()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _append(run: Any, group: str, name: str, content: Mapping[str, Any]) -> None:
    entry = {"frames": run.total_frames, "group": group, "name": name, **content}
    with open(run.folder_name / DIAGNOSTICS, "a") as file:
        file.write(json.dumps(entry) + "\n")
