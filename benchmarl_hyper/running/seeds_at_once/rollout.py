"""Collection for many seeds: an environment and their policies, step by step, into one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from tensordict import NestedKey, TensorDict, TensorDictBase
from torch import Tensor
from torchrl.envs import TransformedEnv
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper.running.lean_environments import Columns
from benchmarl_hyper.running.lean_rollout import collected, trajectory_numbers
from benchmarl_hyper.running.lean_steps import LeanSteps
from benchmarl_hyper.running.rollout_cache import fixed_parameters


class Rollout:
    """Collects the batches that torchrl's collectors would collect for each seed.

    Args:
        env: an environment that can be stepped leanly, with seed-major rows.
        policy: function that writes actions for all rows.
        outputs: keys of what it writes.
        n_steps: steps of a batch.
        n_seeds: number of seeds, each of which counts its own trajectories.
    """

    def __init__(
        self,
        env: TransformedEnv,
        policy: Callable[[TensorDictBase], Any],
        outputs: Sequence[NestedKey],
        n_steps: int,
        n_seeds: int,
    ):
        self.env, self.n_steps = env, n_steps
        self.steps = LeanSteps(env, policy, outputs)
        rows = env.batch_size[0] // n_seeds
        entries = env.fake_tensordict().unsqueeze(-1)
        self.template = entries.expand(*env.batch_size, n_steps).clone()
        self.numbers = torch.arange(rows, device=env.device).repeat(n_seeds, 1)
        self.begun = [rows] * n_seeds  # trajectories of each seed
        self.current: Columns | None = None

    def reset(self) -> None:
        """Begin new episodes with the next batch."""
        self.current = None

    @torch.no_grad()
    def collect(self) -> TensorDictBase:
        """Return the next batch, ``[rows, n_steps]``."""
        if self.current is None:
            started = self.env.reset()
            self.current = {key: started.get(key) for key in self.steps.kept}
        with set_exploration_type(ExplorationType.RANDOM), fixed_parameters():
            columns, self.current = collected(self.steps, self.current, self.n_steps)
        batch = self.template.copy()
        for key, values in columns.items():
            batch.set(key, torch.stack(values, 1))
        ended = batch["next", "done"].flatten(2).any(2)
        batch["collector"] = TensorDict({"traj_ids": self._trajectories(ended)}, batch.batch_size)
        return batch

    def _trajectories(self, ended: Tensor) -> Tensor:
        during = []
        for seed, own in enumerate(ended.view(len(self.numbers), -1, ended.shape[1])):
            n_new = int(own.sum())
            new = torch.arange(self.begun[seed], self.begun[seed] + n_new, device=own.device)
            numbers, self.numbers[seed] = trajectory_numbers(own, self.numbers[seed], new)
            self.begun[seed] += n_new
            during.append(numbers)
        return torch.cat(during)
