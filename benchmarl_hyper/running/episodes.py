"""What episodes were worth, and new ones of a policy as it is."""

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
    """Returns, as BenchMARL defines them.

    Args:
        episodes: of batch size ``[time]``, each cut at its first ``done``.
        group_map: agents by group.

    Returns:
        Tensors ``[episodes]``: ``<group>_return``, the sum of rewards, mean over agents, and
        ``return``, the mean over groups.
    """
    metrics = {
        f"{group}_return": torch.stack([_rewards(e, group).sum(0).mean() for e in episodes])
        for group in group_map
    }
    return {**metrics, "return": torch.stack(list(metrics.values())).mean(0)}


def info_metrics(episodes: Sequence[TensorDictBase]) -> dict[str, Tensor]:
    """What a task says of the end of each episode, for example whether the battle was won.

    Returns:
        Tensors ``[episodes]``: the last step's values of the environment's ``info``, by name. The
        groups' infos, such as VMAS's parts of the reward, say little at one step and are left out.
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
    """Episodes of an experiment's policy as in its evaluation, from random numbers of their own.

    Args:
        run: a BenchMARL experiment whose environments are open.
        n_times: how many times ``evaluation_episodes``.
        seed: for the generators of torch, numpy and Python, and for the environment's.

    Yields:
        Lists of episodes, each cut at its first ``done``.
    """
    seed_everything(seed)
    with contextlib.suppress(NotImplementedError):  # it draws from the generators seeded above
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
            )
        yield [_until_done(one) for one in (rollout.unbind(0) if vectorised else [rollout])]


def _until_done(episode: TensorDictBase) -> TensorDictBase:
    done = episode["next", "done"].flatten(1).any(1).nonzero()
    return episode[: int(done[0]) + 1] if len(done) else episode
