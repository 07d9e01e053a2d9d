"""What a composed configuration asks for: the run, its folder, its labels and its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from omegaconf import DictConfig, OmegaConf

from benchmarl_hyper.run_files import folder_name
from benchmarl_hyper.running.checks.preflight import check
from benchmarl_hyper.running.seeds_at_once.scope import refuse_what_needs_one_seed


class Job(NamedTuple):
    """One run that the command line asks for.

    Attributes:
        path: the run folder.
        labels: what identifies the run in its record: task, algorithm, variant, label, seed and so
            on.
        settings: the resolved configuration.
        choices: what Hydra has chosen for each configuration group.
        pattern: the label before its interpolations are resolved.
    """

    path: Path
    labels: dict[str, Any]
    settings: dict[str, Any]
    choices: dict[str, Any]
    pattern: str


def jobs(
    cfg: DictConfig, choices: Mapping[str, Any], overrides: Sequence[str], folder: str | Path
) -> list[Job]:
    """Return the runs that a configuration asks for: one, or one per seed of a list of seeds.

    Interpolations such as ``${hydra:runtime.choices.variant}`` are resolved by Hydra's
    ``HydraConfig``, which must hold the job's configuration.

    Args:
        cfg: the configuration with its sharing flags, without Hydra's part.
        choices: what Hydra has chosen for each configuration group.
        overrides: the overrides of the command line.
        folder: the folder of all runs.

    Raises:
        ValueError: if a setting cannot work, if a name cannot name a folder, or if seeds of a list
            cannot be trained at once.
    """
    check(cfg, choices, overrides)
    for key in ("save_folder", "restore_file"):
        if cfg.experiment[key] is not None:
            raise ValueError(
                f"experiment.{key}={cfg.experiment[key]} cannot be set in this runner, which "
                "chooses the folder and the checkpoint of each run itself; leave it out, and use "
                "hydra.sweep.dir for the folder of all runs"
            )
    if not OmegaConf.is_list(cfg.seed):
        return [_job(cfg, choices, overrides, folder)]
    if len(cfg.seed) > 1:
        refuse_what_needs_one_seed(cfg, str(choices["task"]))
    of_seeds = []
    for seed in cfg.seed:
        of_one = cfg.copy()
        of_one.seed = seed
        of_seeds.append(_job(of_one, choices, overrides, folder))
    return of_seeds


def _job(
    cfg: DictConfig, choices: Mapping[str, Any], overrides: Sequence[str], folder: str | Path
) -> Job:
    for part in str(cfg.name).split("/"):
        folder_name("name", part)
    label = folder_name("label", cfg.label)
    names = (folder_name("task", choices["task"]), label, folder_name("seed", f"seed_{cfg.seed}"))
    return Job(
        path=Path(os.path.abspath(Path(folder, *names))),
        labels={
            **{key: choices[key] for key in ("task", "algorithm", "variant")},
            "label": label,
            "seed": cfg.seed,
            "suite": choices.get("suite"),
            "overrides": list(overrides),
        },
        settings=cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True)),
        choices=dict(choices),
        pattern=str(cfg._get_node("label")),
    )


def with_sharing_flags(cfg: DictConfig, overrides: Sequence[str] = ()) -> DictConfig:
    """Set the sharing flags that the algorithm has and that the command line does not set.

    Args:
        cfg: the composed configuration, which is not changed.
        overrides: overrides of the command line, for example ``algorithm.share_param_critic=True``.

    Returns:
        The configuration with these flags.
    """
    typed = {override.lstrip("+").partition("=")[0] for override in overrides}
    flags = {
        key: value
        for key, value in cfg.sharing.items()
        if key in cfg.algorithm and f"algorithm.{key}" not in typed
    }
    return cast(DictConfig, OmegaConf.merge(cfg, {"algorithm": flags}))
