"""Batches of torchrl's collector, without the collector's fixed cost per step."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from tensordict import NestedKey, TensorDictBase, unravel_key
from torch import Tensor
from torchrl.envs.utils import set_exploration_type

from benchmarl_hyper.running.lean_environments import Columns, can_step_leanly
from benchmarl_hyper.running.lean_policy import LeanPolicy
from benchmarl_hyper.running.lean_steps import LeanSteps


def collect_leanly(collector: Any) -> bool:
    """Let torchrl's collector collect its batches by :class:`LeanRollout`, if this serves it.

    The collector stays what it is: only its ``rollout`` is replaced.

    Args:
        collector: the collector, before its first batch.

    Returns:
        Whether the collector's ``rollout`` was replaced.
    """
    if not _can_collect_leanly(collector):
        return False
    collector.rollout = LeanRollout(collector).rollout
    return True


def _can_collect_leanly(collector: Any) -> bool:
    devices = {collector.env.device, collector.policy_device, collector.storing_device}
    policy, env = collector.policy, collector.env
    if len(devices) > 1 or not collector._use_buffers or not can_step_leanly(env):
        return False
    kept = {*env.full_observation_spec.keys(True, True), *env.done_keys}
    rows = collector._final_rollout
    stored = {key for key in rows.keys(True, True) if key[0] not in ("next", "collector")}
    return (
        {*policy.in_keys} <= kept
        and stored == kept | {*policy.out_keys}
        and not (collector.reset_at_each_iter or collector._truncated_keys)
        and not (collector.compiled_policy or collector.cudagraphed_policy)
        and collector.interruptor is None
        and collector.replay_buffer is None
    )


class LeanRollout:
    """Collects the batches of a collector, equal to the collector's own bit for bit.

    Args:
        collector: torchrl's collector, whose state and memory are used and kept up to date.
    """

    def __init__(self, collector: Any):
        self.collector = collector
        policy = collector.policy
        self.policy = LeanPolicy(policy)
        self.steps = LeanSteps(collector.env, self.policy, policy.out_keys)

    @torch.no_grad()
    def rollout(self) -> TensorDictBase:
        """Return the next batch, ``[environments, steps]``, in the collector's own memory."""
        collector = self.collector
        if collector._should_use_random_frames():
            return type(collector).rollout(collector)
        carrier, batch = collector._carrier, collector._final_rollout
        current = {key: carrier.get(key) for key in self.steps.kept}
        with set_exploration_type(collector.exploration_type):
            columns, current = collected(self.steps, current, collector.frames_per_batch)
        for key, values in columns.items():
            if (stored := batch.get(key, None)) is not None:
                torch.stack(values, 1, out=stored)
        for key, value in current.items():
            carrier.set(key, value)
        self._count(batch["next", "done"].flatten(2).any(2))
        return batch

    def _count(self, ended: Tensor) -> None:
        collector, key = self.collector, ("collector", "traj_ids")
        numbers = collector._carrier.get(key)
        new = torch.zeros((), dtype=numbers.dtype)
        if ended.any():
            new = collector._traj_pool.get_traj_and_increment(ended.sum(), device=ended.device)
        during, after = trajectory_numbers(ended, numbers, new)
        collector._final_rollout.set_(key, during)
        collector._carrier.set(key, after)


def collected(
    steps: LeanSteps, current: Columns, n_steps: int
) -> tuple[dict[NestedKey, list[Tensor]], Columns]:
    """Take steps, and return their entries by key, and what the next step begins with.

    Args:
        steps: takes the steps.
        current: what the first step begins with.
        n_steps: number of steps.
    """
    columns: dict[NestedKey, list[Tensor]] = defaultdict(list)
    for _ in range(n_steps):
        acted, outcome, current = steps.take(current)
        for key, value in acted.items():
            columns[key].append(value)
        for key, value in outcome.items():
            columns[unravel_key(("next", key))].append(value)
    return columns, current


def trajectory_numbers(ended: Tensor, numbers: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    """Return the number of each step's trajectory, and of the trajectory that comes next.

    Args:
        ended: whether a step ended its trajectory, ``[rows, steps]``.
        numbers: numbers of the trajectories at the first step, ``[rows]``, smaller than new ones.
        new: numbers of the trajectories that begin, in the order of steps, then of rows.

    Returns:
        ``[rows, steps]``, and ``[rows]``.
    """
    begun = torch.zeros_like(ended, dtype=numbers.dtype).T
    begun[ended.T] = new
    current = torch.cat([numbers[:, None], begun.T], 1).cummax(1).values
    return current[:, :-1], current[:, -1]
