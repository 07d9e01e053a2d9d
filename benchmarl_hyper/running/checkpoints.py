"""Past runs, read from a checkpoint without changing a byte of their folder."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from benchmarl.experiment import Experiment
from torch import Tensor

from benchmarl_hyper.running.environment_state import load_evaluation_state
from benchmarl_hyper.running.output import without_known_warnings
from benchmarl_hyper.running.saved_settings import settings_of
from benchmarl_hyper.running.trust import TRUST


@contextmanager
def reopened(checkpoint: Path, trust: bool = False) -> Iterator[Experiment]:
    """Open the experiment of a checkpoint on the CPU, without logs and callbacks.

    The experiment has the networks of the checkpoint, and evaluates with the state that transforms
    of the environment had. It lives in a temporary folder, which is removed after the block, and
    has one training environment. Optimisers and replay buffers are not restored. Building an
    experiment seeds the global generators, as BenchMARL always does.

    Args:
        checkpoint: a checkpoint in its run's folder.
        trust: whether to read files that can run any code: BenchMARL's ``config.pkl``, and objects
            in the checkpoint besides tensors and plain values.

    Raises:
        FileNotFoundError: if the checkpoint, or the file with the settings of its run, is missing.
        ValueError: if the file is not a checkpoint of an experiment, if it does not fit the
            settings, or if reading it needs trust.
    """
    settings = settings_of(checkpoint, trust)
    losses = losses_of(checkpoint, trust)
    with TemporaryDirectory() as folder:
        with without_known_warnings():
            experiment = Experiment(
                task=settings.task,
                algorithm_config=settings.algorithm_config,
                model_config=settings.model_config,
                critic_model_config=settings.critic_model_config,
                seed=settings.seed,
                config=replace(settings.config, save_folder=folder, **_QUIET),
            )
        try:
            _load(experiment, losses, checkpoint)
            load_evaluation_state(experiment, loaded(checkpoint, trust))
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


def losses_of(checkpoint: Path, trust: bool = False) -> dict[str, dict]:
    """Return the state dicts of the losses, by group; they hold the parameters of all networks.

    Args:
        checkpoint: the file.
        trust: whether to read objects besides tensors and plain values, which can run any code.

    Raises:
        ValueError: if the file is not a checkpoint of an experiment, or if reading it needs trust.
    """
    try:
        state = loaded(checkpoint, trust)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(checkpoint):
            raise ValueError(
                f"{checkpoint} holds objects besides tensors and plain values. {TRUST}"
            ) from error
        raise ValueError(f"{checkpoint} is not a checkpoint: torch cannot load it") from error
    groups = [k for k in state if str(k).startswith("loss_")] if isinstance(state, Mapping) else []
    if not groups:
        raise ValueError(f"{checkpoint} is not a checkpoint of a BenchMARL experiment")
    return {key.removeprefix("loss_"): state[key] for key in groups}


def loaded(file: str | Path, trust: bool = False, mmap: bool = True) -> Any:
    """Return what ``torch.save`` wrote to a file, on the CPU.

    Args:
        file: the file.
        trust: whether to read objects besides tensors and plain values, which can run any code.
        mmap: whether tensors stay in the file until they are used.

    Raises:
        OSError: if the file cannot be read.
        pickle.UnpicklingError: if its content cannot be loaded, or if that needs trust.
    """
    try:
        return torch.load(file, map_location="cpu", mmap=mmap, weights_only=not trust)
    except (OSError, pickle.UnpicklingError):
        raise
    except Exception as error:  # what unpickling raises depends on what is in the file
        raise pickle.UnpicklingError(str(error)) from error


def _load(experiment: Experiment, losses: Mapping[str, dict], checkpoint: Path) -> None:
    if experiment.losses.keys() != losses.keys():
        raise ValueError(
            f"{checkpoint} has groups {sorted(losses)}, but the settings of its run make "
            f"{sorted(experiment.losses)}; keep checkpoints in the folder of their run"
        )
    for group, loss in experiment.losses.items():
        # torchrl's losses load other names and sizes without an error.
        has, given = _shapes(loss.state_dict()), _shapes(losses[group])
        differ = [key for key in sorted({*has, *given}) if has.get(key) != given.get(key)]
        if differ:
            raise ValueError(
                f"{checkpoint} does not fit the settings of its run: in the loss of group "
                f"'{group}', {differ[0]} has shape {given.get(differ[0])}, but the settings make "
                f"{has.get(differ[0])}; keep checkpoints in the folder of their run, and use the "
                "versions in its run.json"
            )
        loss.load_state_dict(losses[group])


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(x.shape) for key, x in state.items() if isinstance(x, Tensor)}
