"""The return of random actions: the lower end of the range in which returns are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from benchmarl import hydra_config
from benchmarl.utils import seed_everything
from omegaconf import DictConfig

from benchmarl_hyper.running.episodes import return_metrics, until_done
from benchmarl_hyper.running.parts import task_from

SEED = 2**31 - 1  # none of the seeds that runs have


@torch.no_grad()
def random_return(cfg: DictConfig, task_name: str) -> float:
    """Return the mean return of as many episodes of random actions as an evaluation has.

    Args:
        cfg: the composed configuration of a run.
        task_name: BenchMARL's name of the task.
    """
    task = task_from(cfg.task, task_name)
    config = hydra_config.load_experiment_config_from_hydra(cfg.experiment)
    continuous = task.supports_continuous_actions() and (
        config.prefer_continuous_actions or not task.supports_discrete_actions()
    )
    n_episodes, device = config.evaluation_episodes, config.sampling_device
    seed_everything(SEED)
    env = task.get_env_fun(n_episodes, continuous, SEED, device)()
    try:
        vectorised = bool(env.batch_size)
        episodes: list[Any] = []
        while len(episodes) < n_episodes:
            rollout = env.rollout(task.max_steps(env), break_when_any_done=not vectorised)
            episodes += [
                until_done(one) for one in (rollout.unbind(0) if vectorised else [rollout])
            ]
        return float(return_metrics(episodes, task.group_map(env))["return"].mean())
    finally:
        env.close()


def chosen_task(cfg: DictConfig) -> str:
    """Return BenchMARL's name of the task of a composed configuration."""
    return str(Path(cfg.hydra.runtime.choices.task))
