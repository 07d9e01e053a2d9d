"""All jobs of a sweep, composed and checked before the first of them starts."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from benchmarl_hyper.run_files import flat
from benchmarl_hyper.running.job import Job, jobs, with_sharing_flags
from benchmarl_hyper.running.records import FolderError, OtherSettingsError, is_locked
from benchmarl_hyper.running.run_folder import RunFolder, computed, differences

Seeds: TypeAlias = list[tuple[Any, Sequence[str]]]  # a seed, and all overrides of its job
SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"


def planned_jobs(config: DictConfig) -> list[Job] | None:
    """Compose all jobs of a sweep.

    Args:
        config: the configuration of the sweep, with Hydra's part.

    Returns:
        The jobs; None for sweepers that choose their jobs while they run.

    Raises:
        HydraException: if a job cannot be composed.
        ValueError: if a setting of a job cannot work.
    """
    if config.hydra.sweeper.get("_target_") != SWEEPER:
        return None
    loader = GlobalHydra.instance().config_loader()
    groups = _without_seeds(_overrides(config, loader))
    if len(groups) > 20:
        print(f"checking {sum(map(len, groups.values()))} runs before the first one starts")
    composed = ((loader.load_sweep_config(config, list(key)), groups[key]) for key in groups)
    return [one for cfg, seeds in composed for one in composed_jobs(cfg, seeds)]


def _overrides(config: DictConfig, loader: Any) -> list[list[str]]:
    """Return the overrides of each job, as Hydra's sweeper makes them."""
    parameters = config.hydra.sweeper.get("params") or {}
    typed = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    arguments = [*(f"{key}={value}" for key, value in parameters.items()), *typed]  # type: ignore
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    (batch,) = BasicSweeper.split_arguments(parsed, None)
    if not batch:
        raise ValueError(
            f"this sweep plans no run, since a range in {' '.join(map(str, arguments))} is empty; "
            "range(5) is 0 to 4, and range(1,6) is 1 to 5"
        )
    return batch


def _without_seeds(jobs: Sequence[Sequence[str]]) -> dict[tuple[str, ...], Seeds]:
    """Group jobs that differ in their seed alone, since composing takes a tenth of a second."""
    groups: dict[tuple[str, ...], Seeds] = {}
    for overrides in jobs:
        seeds = [one for one in overrides if one.startswith("seed=")]
        others = tuple(one for one in overrides if one not in seeds)
        seed = OverridesParser.create().parse_override(seeds[-1]).value() if seeds else None
        groups.setdefault(others, []).append((seed, overrides))
    return groups


def composed_jobs(composed: DictConfig, seeds: Seeds) -> Iterator[Job]:
    """Yield the jobs of a composed configuration that differ in their seed alone."""
    sweep, choices = composed.hydra.sweep, composed.hydra.runtime.choices
    cfg = composed.copy()
    with open_dict(cfg):
        del cfg["hydra"]
    cfg = with_sharing_flags(cfg, seeds[0][1])
    with _hydra_config(composed):
        for seed, overrides in seeds:
            if seed is not None:
                cfg.seed = seed
            yield from jobs(cfg, choices, overrides, Path(sweep.dir, sweep.subdir))


@contextmanager
def _hydra_config(composed: DictConfig) -> Iterator[None]:
    """Make ``${hydra:...}`` mean a job's own configuration for the duration of the block."""
    singleton = HydraConfig.instance()
    before = singleton.cfg
    singleton.set_config(composed)
    try:
        yield
    finally:
        singleton.cfg = before


def refuse_shared_folders(jobs: Sequence[Job]) -> None:
    """Raise a ``ValueError`` if two jobs with different settings have one run folder.

    The message names the settings that differ, and a label that tells the jobs apart.
    """
    seen: dict[Path, Job] = {}
    for one in jobs:
        other = seen.setdefault(one.path, one)
        differ = differences(computed(other.settings), computed(one.settings))
        if differ:
            keys = differences(_typed(other), _typed(one)) or differ
            shown = "; ".join(f"{key}: {_of(other, key)} and {_of(one, key)}" for key in keys)
            raise ValueError(
                f"two runs of this sweep would share the folder {os.path.relpath(one.path)} "
                f"({shown}). Nothing has been started. Put what differs into the label:\n"
                f"  {command_with(one, keys)}"
            )


def refuse_other_settings(jobs: Sequence[Job]) -> None:
    """Raise a ``FolderError`` if a folder of a job holds a run with other settings.

    The message names a label that gives the job another folder.
    """
    for one in jobs:
        try:
            RunFolder(one.path).refuse_other_settings(one.settings, busy=is_locked(one.path))
        except OtherSettingsError as error:
            raise FolderError(f"{error}:\n  {command_with(one, error.keys)}") from error
        except FolderError:
            continue  # a broken folder stops its own run, and the sweep says so at its end


def command_with(one: Job, keys: Sequence[str]) -> str:
    """Return this process's command, with a label that also names settings.

    Args:
        one: a job with the label to extend.
        keys: dotted keys of settings, or configuration groups. At most three are used.
    """
    parts = [part for key in keys if (part := _part(one, key))]
    words = [word for word in sys.argv[1:] if not word.startswith("label=")]
    label = f"label={one.pattern}{''.join(parts[:3]) or '_2'}"
    return shlex.join(["python", "-m", "benchmarl_hyper.run", *words, label])


def _part(one: Job, key: str) -> str:
    if key in flat(one.settings):
        return f"_{key.rpartition('.')[2]}${{{key}}}"
    group, _, package = key.partition("@")
    if group not in one.choices:
        return ""
    return f"_${{{package}.name}}" if package else f"_${{hydra:runtime.choices.{group}}}"


def _typed(one: Job) -> dict[str, str]:
    """Return the values of a job's overrides, by key."""
    parts = (override.lstrip("+~").partition("=") for override in one.labels["overrides"])
    return {key: value for key, _, value in parts}


def _of(one: Job, key: str) -> Any:
    return flat(one.settings).get(key, _typed(one).get(key))
