"""One run in its folder: begun, continued, repeated or skipped."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from benchmarl.experiment import Callback, Experiment
from tensordict import TensorDictBase

from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.callbacks import RunCallback
from benchmarl_hyper.running.provenance import commit, machine, parameter_counts, versions
from benchmarl_hyper.running.recording import ResultsCallback
from benchmarl_hyper.running.run_folder import RunFolder

SECONDS = 2  # between two reports of progress

Build = Callable[[Path, Path | None, Sequence[Callback]], Experiment]


class ProgressCallback(RunCallback):
    """Write the run's progress to its record, every few seconds."""

    not_pickled: ClassVar = {"told": 0.0}

    def __init__(self, folder: RunFolder):
        super().__init__()
        self.folder = folder
        self.told = 0.0

    def on_batch_collected(self, batch: TensorDictBase) -> None:
        """Write frames and seconds, unless this was done a moment ago."""
        if time.monotonic() - self.told > SECONDS:
            self.told = time.monotonic()
            self.folder.update(**progress(self.experiment))


def progress(run: Experiment) -> dict[str, Any]:
    """Return the frames so far, and the seconds of all attempts that the run builds on."""
    return {"frames": run.total_frames, "wall_time_s": round(run.total_time, 3)}


def perform(
    path: Path, labels: Mapping[str, Any], settings: Mapping[str, Any], build: Build
) -> None:
    """Run an experiment in its folder, unless it is done or another process is working on it.

    An interrupted run continues from its last checkpoint. A run that failed, or that has no
    checkpoint, starts again, and what it wrote is put aside.

    Args:
        path: the run folder.
        labels: what identifies the run in its record: task, algorithm, variant, label, seed and so
            on.
        settings: the resolved configuration.
        build: function that makes the experiment from the run folder, a checkpoint (or None) and
            callbacks.

    Raises:
        FolderError: if the folder holds a broken record, or a run with other settings that is done
            or can be continued.
        Exception: whatever the experiment raises, after it has been recorded.
    """
    folder = RunFolder(path)
    with folder.locked() as free:
        if not free:
            print(f"{path}: another process is working on it; skipped")
            return
        done, checkpoint = folder.record().get("status") == "done", folder.checkpoint()
        if done or checkpoint:
            folder.refuse_other_settings(settings)
        if done:
            print(f"{path}: already done; skipped")
            return
        folder.put_aside(checkpoint)
        folder.begin(settings, {**labels, "versions": versions(), "commit": commit()})
        try:
            _run(folder, labels["label"], lambda callbacks: build(path, checkpoint, callbacks))
        except Exception:
            folder.update(status="failed", error=traceback.format_exc())
            raise


def _run(folder: RunFolder, label: str, build: Callable[[Sequence[Callback]], Experiment]) -> None:
    absolute = AbsoluteMetricCallback()
    run = build([ResultsCallback(label), absolute, ProgressCallback(folder)])
    folder.update(
        **progress(run),
        max_frames=run.config.get_max_n_frames(run.on_policy),
        evaluation_episodes=run.config.evaluation_episodes,
        machine=machine(str(run.config.train_device)),
        parameters=parameter_counts(run),
    )
    run.run()
    folder.update(
        **progress(run),
        absolute_frames=absolute.best and absolute.best["frames"],
        status="done",
    )
