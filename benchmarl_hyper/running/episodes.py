"""Metrics of episodes, and fresh episodes of an experiment's current policy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from benchmarl.utils import seed_everything
from tensordict import TensorDictBase
from torch import Tensor
from torchrl.envs.utils import ExplorationType, set_exploration_type

Groups = Mapping[str, Sequence[str]]


def return_metrics(episodes: Sequence[TensorDictBase], group_map: Groups) -> dict[str, Tensor]:
    """Compute the return of each episode, as BenchMARL defines it.

    Args:
        episodes: episodes of batch size ``[time]``, each of which ends with its first ``done``.
        group_map: names of the agents, by group.

    Returns:
        Tensors ``[episodes]``, by name: ``<group>_return``, the sum of rewards, averaged over
        agents, and ``return``, the mean over groups.
    """
    metrics = {
        f"{group}_return": torch.stack([_rewards(e, group).sum(0).mean() for e in episodes])
        for group in group_map
    }
    return {**metrics, "return": torch.stack(list(metrics.values())).mean(0)}


def info_metrics(episodes: Sequence[TensorDictBase]) -> dict[str, Tensor]:
    """Collect what a task reports at the end of each episode, such as whether a battle was won.

    Returns:
        Tensors ``[episodes]``, by name: the values of the environment's ``info`` at the last step.
        Infos of groups, such as VMAS's parts of the reward, are left out, because they say little
        at a single step.
    """
    info = episodes[0].get(("next", "info"), None)
    return {
        name: torch.stack(
            [episode["next", "info", name][-1].float().mean() for episode in episodes]
        )
        for name in ([] if info is None else info.keys())
    }


def _rewards(episode: TensorDictBase, group: str) -> Tensor:
    rewards = episode.get(("next", group, "reward"), None)
    return episode["next", "reward"] if rewards is None else rewards


@torch.no_grad()
def fresh_episodes(run: Any, n_times: int, seed: int) -> Iterator[list[TensorDictBase]]:
    """Run new episodes of an experiment's policy, as in its evaluation but with a given seed.

    Args:
        run: a BenchMARL experiment whose environments are open.
        n_times: number of times that ``evaluation_episodes`` episodes are run.
        seed: seed of the generators of torch, numpy and Python, and of the environment's own.

    Yields:
        Lists of episodes, each of which ends with its first ``done``.
    """
    seed_everything(seed)
    with contextlib.suppress(NotImplementedError):  # it uses the generators seeded above
        run.test_env.set_seed(seed)
    vectorised = bool(run.test_env.batch_size)
    deterministic = run.config.evaluation_deterministic_actions
    kind = ExplorationType.DETERMINISTIC if deterministic else ExplorationType.RANDOM
    for _ in range(n_times * (1 if vectorised else run.config.evaluation_episodes)):
        with set_exploration_type(kind):
            rollout = run.test_env.rollout(
                max_steps=run.max_steps,
                policy=run.policy,
                auto_cast_to_device=True,
                break_when_any_done=not vectorised,
                break_when_all_done=vectorised,  # rows that are done wait for the others
            )
        yield [until_done(one) for one in (rollout.unbind(0) if vectorised else [rollout])]


def until_done(episode: TensorDictBase) -> TensorDictBase:
    """Return an episode ``[time]`` up to its first ``done``."""
    done = episode["next", "done"].flatten(1).any(1).nonzero()
    return episode[: int(done[0]) + 1] if len(done) else episode
