"""Past runs, read from a checkpoint without changing a byte of their folder."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from benchmarl.environments import TaskClass
from benchmarl.experiment import Experiment, ExperimentConfig

from benchmarl_hyper.run_files import PICKLED


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints in a run's ``checkpoints`` folder, oldest first."""
    found = folder.glob("checkpoint_*.pt")
    return sorted(found, key=lambda path: int(path.stem.removeprefix("checkpoint_")))


class Settings(NamedTuple):
    """The settings of a run, which BenchMARL pickles in ``config.pkl``, in this order.

    BenchMARL pickles the task and its values separately; here, ``task`` holds both.
    """

    task: TaskClass
    algorithm_config: Any
    model_config: Any
    seed: int
    config: ExperimentConfig
    critic_model_config: Any
    callbacks: list


def settings_of(checkpoint: Path) -> Settings:
    """Return the settings of the run that wrote a checkpoint.

    Raises:
        FileNotFoundError: if the checkpoint, or the run's ``config.pkl``, is missing.
    """
    if not checkpoint.is_file():
        raise FileNotFoundError(
            f"there is no file {checkpoint}; give the path of a checkpoint_<frames>.pt"
        )
    pickled = checkpoint.resolve().parent.parent / PICKLED
    if not pickled.is_file():
        raise FileNotFoundError(
            f"{checkpoint} needs {pickled}, where BenchMARL keeps the settings of its run, but "
            "there is no such file; leave checkpoints in their run's folder, or copy the whole "
            "folder"
        )
    with open(pickled, "rb") as file:
        task, task_config, *others = (pickle.load(file) for _ in range(8))
    task.config = task_config
    return Settings(task, *others)


@contextmanager
def reopened(checkpoint: Path) -> Iterator[Experiment]:
    """Open the experiment of a checkpoint on the CPU, without logs and callbacks.

    The experiment has the networks of the checkpoint. It lives in a temporary folder, which is
    removed after the block, and has one training environment. Optimisers and replay buffers are not
    restored. Building an experiment seeds the global generators, as BenchMARL always does.

    Raises:
        FileNotFoundError: if the checkpoint, or the run's ``config.pkl``, is missing.
        ValueError: if the file is not a checkpoint of an experiment.
    """
    settings = settings_of(checkpoint)
    losses = losses_of(checkpoint)
    with TemporaryDirectory() as folder:
        experiment = Experiment(
            task=settings.task,
            algorithm_config=settings.algorithm_config,
            model_config=settings.model_config,
            critic_model_config=settings.critic_model_config,
            seed=settings.seed,
            config=replace(settings.config, save_folder=folder, **_QUIET),
        )
        try:
            for group, loss in experiment.losses.items():
                loss.load_state_dict(losses[group])
            yield experiment
        finally:
            experiment.close()


_QUIET: dict[str, Any] = {
    "restore_file": None,
    "loggers": [],
    "create_json": False,
    "render": False,
    "parallel_collection": False,
    "on_policy_n_envs_per_worker": 1,
    "off_policy_n_envs_per_worker": 1,
    "sampling_device": "cpu",
    "train_device": "cpu",
    "buffer_device": "cpu",
}


def losses_of(checkpoint: Path) -> dict[str, dict]:
    """Return the state dicts of the losses, by group; they hold the parameters of all networks.

    Raises:
        ValueError: if the file is not a checkpoint of an experiment.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", mmap=True)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{checkpoint} is not a checkpoint: torch cannot load it") from error
    groups = [key for key in state if key.startswith("loss_")] if isinstance(state, dict) else []
    if not groups:
        raise ValueError(f"{checkpoint} is not a checkpoint of a BenchMARL experiment")
    return {key.removeprefix("loss_"): state[key] for key in groups}
