"""The settings of past runs: from files that hold data alone, or, if trusted, from a pickle."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple

from benchmarl.algorithms import algorithm_config_registry
from benchmarl.environments import TaskClass
from benchmarl.experiment import ExperimentConfig
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from benchmarl_hyper.conf_files import explained
from benchmarl_hyper.run_files import CONFIG, PICKLED, flat
from benchmarl_hyper.running.parts import model_from, module_class, task_from
from benchmarl_hyper.running.records import read_record
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.running.trust import TRUST

# Classes in somebody else's settings are imported from these packages alone.
PACKAGES = ("torch.nn.", "torch_geometric.nn.", "benchmarl.", "benchmarl_hyper.")


class Settings(NamedTuple):
    """The settings of a run, in the order in which BenchMARL pickles them in ``config.pkl``.

    BenchMARL pickles the task and its values separately; here, ``task`` holds both. Without trust,
    there are no callbacks.
    """

    task: TaskClass
    algorithm_config: Any
    model_config: Any
    seed: int
    config: ExperimentConfig
    critic_model_config: Any
    callbacks: list


def settings_of(checkpoint: Path, trust: bool = False) -> Settings:
    """Return the settings of the run that wrote a checkpoint.

    Args:
        checkpoint: a checkpoint in its run's folder.
        trust: whether to read BenchMARL's ``config.pkl``, which can run any code. If not, settings
            come from the ``config.yaml`` and ``run.json`` that our runner writes.

    Raises:
        FileNotFoundError: if the checkpoint, or the file with the settings, is missing.
        ValueError: if the settings cannot be read, or need trust.
    """
    if not checkpoint.is_file():
        raise FileNotFoundError(
            f"there is no file {checkpoint}; give the path of a checkpoint_<frames>.pt"
        )
    experiment = checkpoint.resolve().parent.parent
    if trust:
        return _unpickled(checkpoint, experiment / PICKLED)
    run = experiment.parent
    if not (run / CONFIG).is_file():
        raise ValueError(
            f"{checkpoint} is not in the folder of a run of benchmarl_hyper.run, where {CONFIG} "
            f"has its settings. {TRUST}"
        )
    try:
        return _rebuilt(run)
    except (ValueError, TypeError, OmegaConfBaseException) as error:
        raise ValueError(f"{run / CONFIG}: {error}. {TRUST}") from error


def _unpickled(checkpoint: Path, pickled: Path) -> Settings:
    if not pickled.is_file():
        raise FileNotFoundError(
            f"{checkpoint} needs {pickled}, where BenchMARL keeps the settings of its run, but "
            "there is no such file; leave checkpoints in their run's folder, or copy the whole "
            "folder"
        )
    try:
        with open(pickled, "rb") as file:
            task, task_config, *others = (pickle.load(file) for _ in range(8))
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
        raise ValueError(
            f"{pickled} cannot be read ({error}); it needs the modules and versions that the run "
            "was made with, and run.json has the versions"
        ) from error
    task.config = task_config
    return Settings(task, *others)


def _rebuilt(run: Path) -> Settings:
    settings, record = OmegaConf.create(RunFolder(run).settings()), read_record(run)
    name = record.get("algorithm")
    if name not in algorithm_config_registry:
        raise ValueError(
            f"its algorithm is '{name}', but the known ones are "
            f"{', '.join(algorithm_config_registry)}"
        )
    for key in ("model", "critic_model"):
        _check_classes(settings[key], key)
    return Settings(
        task=task_from(settings.task, str(record.get("task"))),
        algorithm_config=_typed(algorithm_config_registry[name], settings.algorithm, "algorithm"),
        model_config=model_from(settings.model, "model"),
        seed=settings.seed,
        config=_typed(ExperimentConfig, settings.experiment, "experiment"),
        critic_model_config=model_from(settings.critic_model, "critic_model"),
        callbacks=[],
    )


def _typed(kind: type, values: Any, key: str) -> Any:
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), values))
    except OmegaConfBaseException as error:
        raise ValueError(f"{key}: {explained(error, kind)}") from error


def _check_classes(part: Any, key: str) -> None:
    for where, value in flat({key: OmegaConf.to_container(part)}).items():
        if value is None or not where.endswith("class"):
            continue
        name = str(value)
        if not name.startswith(PACKAGES):
            raise ValueError(
                f"{where}={name} is not imported, because the package is none of "
                f"{', '.join(package.rstrip('.') for package in PACKAGES)}"
            )
        if not issubclass(module_class("class", name), nn.Module):
            raise ValueError(f"{where}={name} is not used, because it is no torch.nn.Module")
