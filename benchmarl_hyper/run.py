"""BenchMARL's runner with variants: ``python -m benchmarl_hyper.run``.

It takes everything that ``python -m benchmarl.run`` takes, and also ``variant=<name>``, which
chooses the models of policy and critic and sets the flags of the algorithm that they need::

    python -m benchmarl_hyper.run -m algorithm=ippo task=vmas/navigation variant=nops,hypermarl_mlp

Each run has a folder of its own, ``runs/<name>/<task>/<label>/seed_<seed>``. Running the same
command again skips finished runs and continues interrupted ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import hydra
import torch
from benchmarl import hydra_config
from benchmarl.environments import task_config_registry
from benchmarl.experiment import Callback
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.registry import method_callbacks, model_config
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.one_run import perform
from benchmarl_hyper.running.run_folder import FolderError


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


def build(
    cfg: DictConfig,
    task: str,
    folder: Path,
    checkpoint: Path | None,
    callbacks: Sequence[Callback],
) -> ResumableExperiment:
    """Build the experiment of a configuration.

    Args:
        cfg: the configuration of BenchMARL and of this runner.
        task: BenchMARL's name of the task, for example ``vmas/navigation``.
        folder: folder in which the experiment saves.
        checkpoint: checkpoint from which the experiment continues; None to start from the
            beginning.
        callbacks: callbacks in addition to those that the configuration names.

    Raises:
        ValueError: if settings do not fit together, or if a name is unknown.
    """
    for part in (cfg.model, cfg.critic_model):
        if "name" in part:  # a sequence has layers instead
            model_config(part.name)
    places = {"save_folder": str(folder), "restore_file": checkpoint and str(checkpoint)}
    experiment = cast(DictConfig, OmegaConf.merge(cfg.experiment, places))
    return ResumableExperiment(
        task=hydra_config.load_task_config_from_hydra(cfg.task, task),
        algorithm_config=hydra_config.load_algorithm_config_from_hydra(cfg.algorithm),
        model_config=hydra_config.load_model_config_from_hydra(cfg.model),
        critic_model_config=hydra_config.load_model_config_from_hydra(cfg.critic_model),
        seed=cfg.seed,
        config=hydra_config.load_experiment_config_from_hydra(experiment),
        callbacks=[
            *callbacks,
            *method_callbacks(cfg.get("method")),
            *callbacks_named(cfg.callbacks, cfg.snd_observations),
        ],
    )


@hydra.main(version_base=None, config_path="pkg://benchmarl_hyper.conf", config_name="run")
def main(cfg: DictConfig) -> None:
    """Run one experiment in its run folder."""
    hydra_config = HydraConfig.get()
    choices = cast(dict[str, Any], OmegaConf.to_container(hydra_config.runtime.choices))
    for key in ("save_folder", "restore_file"):
        if cfg.experiment[key] is not None:
            raise ValueError(
                f"experiment.{key}={cfg.experiment[key]} cannot be set in this runner, which "
                "chooses the folder and the checkpoint of each run itself; leave it out, and use "
                "hydra.sweep.dir for the folder of all runs"
            )
    torch.set_num_threads(cfg.num_threads)
    cfg = with_sharing_flags(cfg, hydra_config.overrides.task)
    label = str(cfg.label).replace("/", "_")
    folders = (choices["task"].replace("/", "_"), label, f"seed_{cfg.seed}")
    path = Path(hydra_config.runtime.output_dir, *folders)
    labels = {
        **{key: choices[key] for key in ("task", "algorithm", "variant")},
        "label": label,
        "seed": cfg.seed,
        "suite": choices.get("suite"),
        "overrides": list(hydra_config.overrides.task),
    }
    settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    try:
        perform(path, labels, settings, lambda *places: build(cfg, choices["task"], *places))
    except FolderError:
        raise  # it cannot be recorded in the folder; a sweep raises it when all jobs have run
    except Exception as error:
        if hydra_config.mode != RunMode.MULTIRUN:
            raise
        print(f"{path}: failed: {error!r}")  # the sweep goes on, and counts failures at its end


def check_tasks(arguments: Sequence[str]) -> None:
    """Raise ``SystemExit`` if a task in the arguments is unknown; its message lists the known ones.

    Hydra's own message would list only the folders of tasks.
    """
    for argument in arguments:
        key, _, value = argument.partition("=")
        names = value.split(",") if key == "task" and re.fullmatch(r"[\w/,-]+", value) else []
        for name in names:
            if name not in task_config_registry:
                near = get_close_matches(name, task_config_registry, n=3, cutoff=0.5)
                raise SystemExit(
                    f"unknown task '{name}'; similar names: {', '.join(near) or 'none'}; "
                    f"the known tasks are {', '.join(sorted(task_config_registry))}"
                )


if __name__ == "__main__":
    check_tasks(sys.argv[1:])
    main()
