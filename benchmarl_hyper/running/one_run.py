"""One run in its folder: begun, continued, repeated or skipped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from benchmarl.experiment import Callback, Experiment
from tensordict import TensorDictBase

from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.bars import tell
from benchmarl_hyper.running.callbacks import RunCallback
from benchmarl_hyper.running.disk_space import tell_disk_of_sweep
from benchmarl_hyper.running.episodes import return_metrics
from benchmarl_hyper.running.provenance import commit, machine, parameter_counts, versions
from benchmarl_hyper.running.recording import ResultsCallback
from benchmarl_hyper.running.records import left_to_tell
from benchmarl_hyper.running.redaction import redacted
from benchmarl_hyper.running.run_folder import RunFolder, computed, differences

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

    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Write the mean return, and tell it to the run's bar."""
        run = self.experiment
        mean = return_metrics(rollouts, run.group_map)["return"].mean().item()
        tell(run.seed, mean)
        self.folder.update(**{"return": mean if math.isfinite(mean) else None})


def progress(run: Experiment) -> dict[str, Any]:
    """Return the frames so far, and the seconds of all attempts that the run builds on."""
    return {"frames": run.total_frames, "wall_time_s": round(run.total_time, 3)}


def perform(
    path: Path, labels: Mapping[str, Any], settings: Mapping[str, Any], build: Build
) -> bool:
    """Run an experiment in its folder, unless it is done or another process is working on it.

    A run that was interrupted or has failed continues from its last checkpoint. A run that has no
    checkpoint, or that has failed with other settings, starts again, and what it wrote is put
    aside.

    Args:
        path: the run folder.
        labels: what identifies the run in its record: task, algorithm, variant, label, seed and so
            on.
        settings: the resolved configuration.
        build: function that makes the experiment from the run folder, a checkpoint (or None) and
            callbacks.

    Returns:
        True if the run is done; False if another process is working on it.

    Raises:
        FolderError: if the folder holds a broken record, or a run with other settings that would
            be lost.
        Exception: whatever the experiment raises, after it has been recorded.
    """
    folder = RunFolder(path)
    with folder.locked() as free:
        if claim(folder, settings, free):
            with folder.failures_recorded():
                Attempt(folder, labels, settings).train(build)
        return free


def claim(folder: RunFolder, settings: Mapping[str, Any], free: bool, told: bool = True) -> bool:
    """Return whether a folder's run is to be done here.

    Args:
        folder: the run folder.
        settings: the resolved configuration.
        free: whether this process has locked the folder.
        told: whether to say why a run is not to be done here.

    Raises:
        FolderError: if the folder holds a broken record, or a run with other settings that would
            be lost.
    """
    folder.refuse_other_settings(settings, busy=not free)
    reason = "" if free else "another process is working on it"
    if free and folder.record().get("status") == "done":
        reason = "already done"
    if reason and told:
        print(f"{folder.path}: {reason}; skipped")
    return not reason


class Attempt:
    """One attempt at a run, in a folder that this process has locked.

    Args:
        folder: the run folder.
        labels: what identifies the run in its record.
        settings: the resolved configuration.
    """

    def __init__(self, folder: RunFolder, labels: Mapping[str, Any], settings: Mapping[str, Any]):
        self.folder, self.labels, self.settings = folder, labels, settings
        self.checkpoint = _checkpoint(folder, settings)
        self.absolute = AbsoluteMetricCallback()
        self.run: Experiment | None = None

    def train(self, build: Build) -> None:
        """Run the experiment to its end."""
        run = self.begin(build)
        with interrupts():
            run.run()
        self.end()

    def begin(self, build: Build, **facts: Any) -> Experiment:
        """Return the experiment, ready to run, and record that it has begun.

        Args:
            build: function that makes it.
            **facts: more facts for the run's record.
        """
        folder, label = self.folder, self.labels["label"]
        folder.put_aside(self.checkpoint)
        facts = {**self.labels, "versions": versions(), "commit": commit(), **facts}
        folder.begin(self.settings, facts)
        callbacks = [ResultsCallback(label), self.absolute, ProgressCallback(folder)]
        run = self.run = build(folder.path, self.checkpoint, callbacks)
        if n_runs := left_to_tell(folder.path.parents[2]):  # <sweep>/<task>/<label>/seed_<seed>
            tell_disk_of_sweep(run, n_runs)
        folder.update(
            **progress(run),
            max_frames=run.config.get_max_n_frames(run.on_policy),
            evaluation_episodes=run.config.evaluation_episodes,
            machine=machine(str(run.config.train_device)),
            parameters=parameter_counts(run),
        )
        return run

    def again(self) -> Attempt:
        """Return the next attempt at the run."""
        return Attempt(self.folder, self.labels, self.settings)

    def diverged(self) -> bool:
        """Return whether the run's networks are no longer finite."""
        networks = [] if self.run is None else [self.run.policy, *self.run.losses.values()]
        return not all(p.isfinite().all() for network in networks for p in network.parameters())

    def end(self) -> None:
        """Record that the run is done."""
        assert self.run is not None
        best = self.absolute.best
        self.folder.update(
            **progress(self.run), absolute_frames=best and best["frames"], status="done"
        )


def _checkpoint(folder: RunFolder, settings: Mapping[str, Any]) -> Path | None:
    """Return the checkpoint to continue from; None if there is none, or if settings differ."""
    checkpoint = folder.checkpoint()
    if checkpoint is None or differences(computed(folder.settings()), computed(redacted(settings))):
        return None
    return checkpoint


@contextmanager
def interrupts() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` where tensordict has put another exception in its place.

    Ctrl-C inside ``with parameters.to_module(network)``, as in torchrl's losses, comes out as a
    ``RuntimeError`` about boolean values.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
