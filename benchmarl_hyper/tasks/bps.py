"""Blind-Particle Spread: agents must find their group's landmark without seeing their group."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarl_hyper.tasks.base import FamilyTask, TeamClass
from benchmarl_hyper.tasks.drawing import canvas, draw_squares, palette
from benchmarl_hyper.tasks.team_env import TeamEnv

TIME_STEP, DAMPING, FORCE = 0.1, 0.25, 5.0
MOVES = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
PICTURE, VISIBLE = 256, 4.0  # side of a picture in pixels; coordinate at its border


@dataclass
class BpsConfig:
    """Values of Blind-Particle Spread (Christianos et al., arXiv 2102.07475; HyperMARL's sizes).

    Attributes:
        groups: number of agents in each hidden group; each group has one landmark.
        horizon: number of steps of an episode.
        local_ratio: weight ``w`` of the reward ``-w * d``, where ``d`` is the agent's distance to
            its group's landmark.
        shuffle_obs: whether each group sees the entries of its observations in its own order.

    Raises:
        ValueError: if there are no groups, or if a group or the horizon is not positive.
    """

    groups: list[int]
    horizon: int
    local_ratio: float
    shuffle_obs: bool

    def __post_init__(self) -> None:
        if not self.groups or min(self.groups) < 1:
            raise ValueError(f"groups must be positive numbers of agents, got {list(self.groups)}")
        if self.horizon < 1:
            raise ValueError(f"horizon must be positive, got {self.horizon}")


class BpsEnv(TeamEnv):
    """Point masses with a velocity, which do not collide and do not see their own group.

    Args:
        config: the task's values.
        **kwargs: ``num_envs``, ``seed`` and ``device`` of :class:`TeamEnv`.
    """

    def __init__(self, config: BpsConfig, **kwargs: Any):
        self.config = config
        n_groups, n_features = len(config.groups), 4 + 2 * len(config.groups)
        super().__init__(
            n_agents=sum(config.groups),
            n_observations=n_features,
            actions=len(MOVES),
            horizon=config.horizon,
            **kwargs,
        )
        sizes = torch.tensor(list(config.groups))
        self.group = torch.arange(n_groups).repeat_interleave(sizes).to(self.device)
        self.moves = torch.tensor(MOVES, device=self.device)
        self.order = _orders(n_groups, n_features).to(self.device)[self.group]
        self.position = torch.zeros(*self.batch_size, self.n_agents, 2, device=self.device)
        self.velocity = torch.zeros_like(self.position)
        self.landmark = torch.zeros(*self.batch_size, n_groups, 2, device=self.device)

    def _restart(self, mask: Tensor) -> None:
        mask = mask.view(-1, 1, 1)
        self.position = torch.where(mask, self.uniform(-1, 1, self.n_agents, 2), self.position)
        self.velocity = self.velocity.masked_fill(mask, 0.0)
        landmark = self.uniform(-3, 3, len(self.config.groups), 2)
        self.landmark = torch.where(mask, landmark, self.landmark)

    def _observe(self) -> dict[str, Any]:
        offsets = self.landmark.unsqueeze(1) - self.position.unsqueeze(2)
        observation = torch.cat([self.velocity, self.position, offsets.flatten(2)], dim=-1)
        if self.config.shuffle_obs:
            observation = observation.gather(-1, self.order.expand_as(observation))
        return {"observation": observation}

    def _advance(self, action: Tensor) -> tuple[Tensor, None]:
        force = FORCE * self.moves[action]
        self.velocity = (1 - DAMPING) * self.velocity + TIME_STEP * force
        self.position = self.position + TIME_STEP * self.velocity
        distance = (self.position - self.landmark[:, self.group]).norm(dim=-1)
        return -self.config.local_ratio * distance, None

    def render(self, mode: str = "rgb_array") -> Any:
        """Return a picture of the first environment, ``[PICTURE, PICTURE, 3]`` of ``uint8``.

        Landmarks are large squares. Agents are small squares in a darker shade of the colour of
        their group's landmark.
        """
        picture = canvas(PICTURE, PICTURE)
        colours = palette(len(self.config.groups))
        draw_squares(picture, _pixels(self.landmark[0]), colours, radius=7)
        draw_squares(picture, _pixels(self.position[0]), colours[self.group.cpu()] // 2, radius=3)
        return picture.numpy()


def _orders(n_groups: int, n_features: int) -> Tensor:
    """Return a fixed order of the features for each group, ``[n_groups, n_features]``."""
    return torch.tensor(
        [random.Random(group).sample(range(n_features), n_features) for group in range(n_groups)]
    )


def _pixels(position: Tensor) -> Tensor:
    """Return the rows and columns of positions ``[n, 2]``; larger y is further up."""
    x, y = (PICTURE / 2 * (1 + position.cpu() * torch.tensor([1.0, -1.0]) / VISIBLE)).long().T
    return torch.stack([y, x], dim=-1)


class BpsClass(TeamClass):
    """Blind-Particle Spread as a BenchMARL task."""

    family = "bps"
    config_type = BpsConfig
    env_type = BpsEnv
    seeds_at_once = True
    rendered = True


class BpsTask(FamilyTask):
    """15 agents in 3 groups; 30 agents in 3 groups, in 5, and in 5 of different sizes."""

    BPS_1 = None
    BPS_2 = None
    BPS_3 = None
    BPS_4 = None

    @staticmethod
    def associated_class() -> type[BpsClass]:
        """Return the class of these tasks."""
        return BpsClass
