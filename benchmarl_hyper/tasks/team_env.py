"""Batched environments with one team of agents, computed with tensors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from benchmarl.utils import DEVICE_TYPING
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

GROUP = "agents"


class Box(NamedTuple):
    """Continuous actions with ``size`` entries between ``low`` and ``high``."""

    size: int
    low: float
    high: float


class TeamEnv(EnvBase):
    """A batch of ``B`` environments, each with one group of ``N`` agents called ``agents``.

    A subclass implements ``_restart``, ``_observe`` and ``_advance``. It draws random numbers only
    from ``generator``, and never changes a tensor that it has handed out.

    Args:
        num_envs: number of environments, ``B``.
        seed: seed of the environments' own generator; None for a random seed.
        device: device of all tensors.
        n_agents: number of agents, ``N``.
        n_observations: number of features of an agent's observation.
        actions: number of discrete actions, or a :class:`Box`.
        horizon: number of steps after which an episode is truncated.
        n_state: number of features of the global state; None for no state.
        masked: whether a mask says which discrete actions are allowed.
        info: names of the numbers per environment that are logged.
    """

    def __init__(
        self,
        num_envs: int,
        seed: int | None,
        device: DEVICE_TYPING,
        *,
        n_agents: int,
        n_observations: int,
        actions: int | Box,
        horizon: int,
        n_state: int | None = None,
        masked: bool = False,
        info: Sequence[str] = (),
    ):
        super().__init__(device=torch.device(device), batch_size=[num_envs])
        self.n_agents, self.horizon = n_agents, horizon
        team = (num_envs, n_agents)
        agent: dict[str, Any] = {"observation": Unbounded((*team, n_observations))}
        if masked:
            agent["action_mask"] = Categorical(2, (*team, actions), dtype=torch.bool)
        root: dict[str, Any] = {GROUP: Composite(agent, shape=team)}
        if n_state is not None:
            root["state"] = Unbounded((num_envs, n_state))
        if info:
            numbers = {key: Unbounded((num_envs, 1)) for key in info}
            root["info"] = Composite(numbers, shape=[num_envs])
        self.observation_spec = self._spec(root)
        action = (
            Bounded(actions.low, actions.high, (*team, actions.size))
            if isinstance(actions, Box)
            else Categorical(actions, team)
        )
        self.action_spec = self._spec({GROUP: Composite(action=action, shape=team)})
        reward = Unbounded((*team, 1))
        self.reward_spec = self._spec({GROUP: Composite(reward=reward, shape=team)})
        flag = Categorical(2, (num_envs, 1), dtype=torch.bool)
        self.done_spec = self._spec({k: flag.clone() for k in ("done", "terminated", "truncated")})
        self.steps = torch.zeros(num_envs, dtype=torch.long, device=self.device)
        self.generator = torch.Generator(self.device)
        self.set_seed(int(torch.randint(2**31, ())) if seed is None else seed)

    @abstractmethod
    def _restart(self, mask: Tensor) -> None:
        """Start new episodes where ``mask [B]`` is true, and change nothing elsewhere."""

    @abstractmethod
    def _observe(self) -> dict[str, Any]:
        """Return ``observation [B, N, F]`` and, if any, ``action_mask``, ``state`` and ``info``.

        ``info`` is a dict of tensors ``[B, 1]``.
        """

    @abstractmethod
    def _advance(self, action: Tensor) -> tuple[Tensor, Tensor | None]:
        """Take one step.

        Returns:
            Rewards ``[B, N]``, and whether the step terminated the episode ``[B]``; None if it
            terminated none.
        """

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return random numbers ``[B, *shape]`` from ``low`` to ``high``, from ``generator``."""
        sample = torch.rand(*self.batch_size, *shape, generator=self.generator, device=self.device)
        return low + (high - low) * sample

    def _spec(self, entries: dict[str, Any]) -> Composite:
        return Composite(entries, shape=self.batch_size).to(self.device)

    def _set_seed(self, seed: int | None) -> None:
        self.generator.manual_seed(0 if seed is None else seed)

    def _reset(self, tensordict: TensorDictBase | None = None, **kwargs: Any) -> TensorDictBase:
        mask = torch.ones(self.batch_size, dtype=torch.bool, device=self.device)
        if tensordict is not None and "_reset" in tensordict:
            mask = tensordict["_reset"].reshape(self.batch_size)
        self.steps = self.steps.masked_fill(mask, 0)
        self._restart(mask)
        return self._outcome(torch.zeros_like(mask), torch.zeros_like(mask))

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        reward, terminated = self._advance(tensordict[GROUP, "action"])
        self.steps = self.steps + 1
        truncated = self.steps >= self.horizon
        step = self._outcome(
            torch.zeros_like(truncated) if terminated is None else terminated, truncated
        )
        step[GROUP, "reward"] = reward.unsqueeze(-1)
        return step

    def _outcome(self, terminated: Tensor, truncated: Tensor) -> TensorDict:
        entries = self._observe()
        agent = {key: entries.pop(key) for key in ("observation", "action_mask") if key in entries}
        flags = {
            "terminated": terminated.unsqueeze(-1),
            "truncated": truncated.unsqueeze(-1),
            "done": (terminated | truncated).unsqueeze(-1),
        }
        entries[GROUP] = TensorDict(agent, (*self.batch_size, self.n_agents))
        return TensorDict({**entries, **flags}, self.batch_size, self.device)
