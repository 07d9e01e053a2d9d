"""Collection: an environment and a policy, step by step, into one batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from tensordict import TensorDict, TensorDictBase
from torchrl.envs import EnvBase
from torchrl.envs.utils import ExplorationType, set_exploration_type


class Rollout:
    """Collects batches from a vectorised environment, as torchrl's collector does.

    Args:
        env: the environment, ``[rows]``.
        policy: function that writes actions for ``[rows]`` environments.
        n_steps: steps of a batch.
        n_seeds: number of seeds among the rows, each of which counts its own trajectories.
    """

    def __init__(
        self,
        env: EnvBase,
        policy: Callable[[TensorDictBase], TensorDictBase],
        n_steps: int,
        n_seeds: int,
    ):
        self.env, self.policy, self.n_steps = env, policy, n_steps
        rows = env.batch_size[0] // n_seeds
        self.trajectories = torch.arange(rows).repeat(n_seeds)
        self.next_trajectory = torch.full((n_seeds,), rows)
        self.carried: TensorDictBase | None = None

    def reset(self) -> None:
        """Begin new episodes at the next batch."""
        self.carried = None

    @torch.no_grad()
    def collect(self) -> TensorDictBase:
        """Return a batch ``[rows, n_steps]``."""
        carried = self.env.reset() if self.carried is None else self.carried
        steps = []
        with set_exploration_type(ExplorationType.RANDOM):
            for _ in range(self.n_steps):
                carried = self.policy(carried)
                stepped, following = self.env.step_and_maybe_reset(carried)
                carried["next"] = stepped["next"]
                carried["collector"] = TensorDict(
                    {"traj_ids": self.trajectories.clone()}, carried.batch_size
                )
                steps.append(carried)
                self._count(stepped["next", "done"])
                carried = following
        self.carried = carried
        return torch.stack(steps, -1).contiguous()

    def _count(self, done: torch.Tensor) -> None:
        ended = done.flatten(1).any(1).view(len(self.next_trajectory), -1).cpu()
        if not ended.any():
            return
        new = ended.cumsum(1) - 1 + self.next_trajectory[:, None]
        self.trajectories = torch.where(ended.view(-1), new.view(-1), self.trajectories)
        self.next_trajectory = self.next_trajectory + ended.sum(1)
