"""BenchMARL's runner with variants: ``python -m benchmarl_hyper.run``.

It takes everything that ``python -m benchmarl.run`` takes, and also ``variant=<name>``, which
chooses the models of policy and critic and sets the flags of the algorithm that they need::

    python -m benchmarl_hyper.run -m algorithm=ippo task=vmas/navigation variant=nops,hypermarl_mlp

Each run has a folder of its own, ``runs/<name>/<task>/<label>/seed_<seed>``. Running the same
command again skips finished runs and continues interrupted ones.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import hydra
import torch
from benchmarl import hydra_config
from benchmarl.experiment import Callback
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.registry import method_callbacks
from benchmarl_hyper.running.checks.command_line import prepare
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.job import Job, jobs, with_sharing_flags
from benchmarl_hyper.running.parts import model_from, task_from
from benchmarl_hyper.running.planning import refuse_other_settings
from benchmarl_hyper.running.plugins import import_plugins
from benchmarl_hyper.running.records import read_record
from benchmarl_hyper.running.redaction import redacted
from benchmarl_hyper.running.seeds_at_once.environments import SharedEnvironments
from benchmarl_hyper.running.seeds_at_once.member import SeedExperiment
from benchmarl_hyper.running.seeds_at_once.runs import perform_together


def build(
    cfg: DictConfig,
    task: str,
    folder: Path,
    checkpoint: Path | None,
    callbacks: Sequence[Callback],
    *,
    seed: int | None = None,
    environments: SharedEnvironments | None = None,
) -> ResumableExperiment:
    """Build the experiment of a configuration.

    Args:
        cfg: the configuration of BenchMARL and of this runner.
        task: BenchMARL's name of the task, for example ``vmas/navigation``.
        folder: folder in which the experiment saves.
        checkpoint: checkpoint from which the experiment continues; None to start from the
            beginning.
        callbacks: callbacks in addition to those that the configuration names.
        seed: the seed; None for that of the configuration.
        environments: what the seeds that are trained at once share; None for a seed on its own.

    Raises:
        ValueError: if settings do not fit together, or if a name is unknown.
    """
    places = {"save_folder": str(folder), "restore_file": checkpoint and str(checkpoint)}
    experiment = cast(DictConfig, OmegaConf.merge(cfg.experiment, places))
    make: Callable[..., ResumableExperiment] = ResumableExperiment
    if environments is not None:
        make = partial(SeedExperiment, environments=environments)
    return make(
        task=task_from(cfg.task, task),
        algorithm_config=hydra_config.load_algorithm_config_from_hydra(cfg.algorithm),
        model_config=model_from(cfg.model, "model"),
        critic_model_config=model_from(cfg.critic_model, "critic_model"),
        seed=cfg.seed if seed is None else seed,
        config=hydra_config.load_experiment_config_from_hydra(experiment),
        checkpoint_share=cfg.checkpoint_share,
        lean=cfg.lean_rollout,
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
    alone = hydra_config.mode != RunMode.MULTIRUN
    choices = cast(dict[str, Any], OmegaConf.to_container(hydra_config.runtime.choices))
    overrides = list(hydra_config.overrides.task)
    try:
        import_plugins(cfg.plugins)
        cfg = with_sharing_flags(cfg, overrides)
        work = jobs(cfg, choices, overrides, hydra_config.runtime.output_dir)
        if alone:
            refuse_other_settings(work)
        torch.set_num_threads(cfg.num_threads)
        done = perform_together(work, partial(build, cfg, choices["task"]), alone)
    except Exception as error:
        if alone and isinstance(error, ValueError):
            raise SystemExit(f"error: {error}") from error
        if alone:
            raise
        # The sweep counts what is missing
        print(redacted(f"failed: {' '.join(overrides)}: {error!r}"))
        return
    if alone:
        print("\n".join(map(_outcome, work)))
    if alone and not done:
        raise SystemExit(1)


def _outcome(job: Job) -> str:
    """Return a line that says where a run is and what came out."""
    record = read_record(job.path)
    mean = record.get("return")
    shown = "" if mean is None else f", return of the last evaluation {mean:.3g}"
    return f"{os.path.relpath(job.path)}: {record.get('status')}{shown}"


if __name__ == "__main__":
    # Hydra takes no override behind -m if there is one in front of it
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    try:
        prepare(sys.argv[1:])
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted. What is finished is kept, and so is the last checkpoint of each run.")
        print("Run the same command again to go on.")
        raise SystemExit(130) from None
