"""One evaluation episode of a checkpoint's policy, kept as scenes to draw."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import torch
from benchmarl.experiment import Experiment
from benchmarl.utils import seed_everything
from torchrl.envs.utils import ExplorationType, set_exploration_type, step_mdp

from benchmarl_hyper.replay.scenes import Scene, scene_of
from benchmarl_hyper.running.checkpoints import reopened
from benchmarl_hyper.running.episodes import return_metrics
from benchmarl_hyper.running.records import read_record


class Episode(NamedTuple):
    """One evaluation episode of a policy.

    Attributes:
        checkpoint: the checkpoint that has the policy.
        label: what the run is called in results.
        task: the task's name, for example ``vmas/navigation``.
        settings: the settings that the initial state depends on, by dotted key.
        scenes: what is drawn, before the first step and after each step.
        returns: the return up to each scene; 0 before the first step.
    """

    checkpoint: Path
    label: str
    task: str
    settings: dict[str, Any]
    scenes: list[Scene]
    returns: list[float]


def episode_of(checkpoint: Path, seed: int, steps: int | None, trust: bool) -> Episode:
    """Run one evaluation episode of a checkpoint's policy.

    Args:
        checkpoint: a checkpoint in its run's folder.
        seed: seed of the generators of torch, numpy and Python, and of the environment's own.
        steps: number of steps after which to stop; None for the whole episode.
        trust: whether to read files of the run that can run any code.

    Raises:
        ValueError: if the task cannot be drawn, or if the checkpoint cannot be read.
    """
    with reopened(checkpoint, trust) as run:
        scenes, returns = _played(run, seed, run.max_steps if steps is None else steps)
        episodes = {"experiment.evaluation_episodes": run.config.evaluation_episodes}
        values = {f"task.{key}": value for key, value in run.task.config.items()}
        return Episode(
            checkpoint=checkpoint,
            label=read_record(checkpoint.resolve().parents[2]).get("label")
            or f"{run.algorithm_name}_{run.model_name}",
            task=f"{run.environment_name}/{run.task_name}",
            settings=values | episodes,
            scenes=scenes,
            returns=returns,
        )


@torch.no_grad()
def _played(run: Experiment, seed: int, steps: int) -> tuple[list[Scene], list[float]]:
    env = run.test_env
    seed_everything(seed)
    with contextlib.suppress(NotImplementedError):  # it uses the generators seeded above
        env.set_seed(seed)
    deterministic = run.config.evaluation_deterministic_actions
    with set_exploration_type(
        ExplorationType.DETERMINISTIC if deterministic else ExplorationType.RANDOM
    ):
        state = env.reset()
        scenes, returns = [scene_of(run, state)], [0.0]
        for _ in range(min(steps, run.max_steps)):
            # Not rollout, which resets an environment before its last scene can be read
            step = env.step(run.policy(state))
            state = step_mdp(
                step,
                reward_keys=env.reward_keys,
                action_keys=env.action_keys,
                done_keys=env.done_keys,
            )
            first = step[:1] if env.batch_size else step.unsqueeze(0)
            reward = return_metrics([first], run.group_map)["return"].item()
            scenes.append(scene_of(run, state))
            returns.append(returns[-1] + reward)
            if first["next", "done"].any():
                break
    return scenes, returns
