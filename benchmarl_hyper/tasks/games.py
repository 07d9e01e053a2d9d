"""Specialisation and Synchronisation: matrix games that reward acting differently, or alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from benchmarl_hyper.tasks.base import FamilyTask, TeamClass
from benchmarl_hyper.tasks.drawing import canvas, draw_squares, palette
from benchmarl_hyper.tasks.team_env import TeamEnv

GAMES = ("specialisation", "synchronisation")
CELL = 16  # side of a cell in pixels


@dataclass
class GameConfig:
    """Values of a matrix game (HyperMARL, arXiv 2412.04233).

    Attributes:
        game: ``specialisation`` pays ``1 / c`` to an agent whose action was chosen by ``c`` agents,
            itself included; ``synchronisation`` pays ``1 / (n_agents - c + 1)``.
        n_agents: number of agents.
        num_actions: number of actions; None for as many as there are agents.
        temporal: whether agents play repeatedly and see the previous joint action; if False, an
            episode is a single step with a constant observation.
        horizon: number of steps of an episode of the temporal game.

    Raises:
        ValueError: if the game is unknown, or if a number is not positive.
    """

    game: str
    n_agents: int
    num_actions: int | None
    temporal: bool
    horizon: int

    def __post_init__(self) -> None:
        if self.game not in GAMES:
            raise ValueError(f"game must be one of {', '.join(GAMES)}, got {self.game!r}")
        for key in ("n_agents", "num_actions", "horizon"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ValueError(f"{key} must be positive, got {value}")


class GameEnv(TeamEnv):
    """A matrix game in which every agent sees the previous joint action.

    The joint action is one-hot and flattened, ``[N * K]`` for ``K`` actions, and all entries are -1
    at the first step. It is also the global state. Without ``temporal``, both are a constant.
    Episodes do not end early. ``converged`` in ``info`` says whether the last actions were all
    different (specialisation) or all equal (synchronisation).

    Args:
        config: the task's values.
        **kwargs: ``num_envs``, ``seed`` and ``device`` of :class:`TeamEnv`.
    """

    def __init__(self, config: GameConfig, **kwargs: Any):
        self.config = config
        self.n_actions = config.num_actions or config.n_agents
        n_features = config.n_agents * self.n_actions if config.temporal else 1
        super().__init__(
            n_agents=config.n_agents,
            n_observations=n_features,
            n_state=n_features,
            actions=self.n_actions,
            horizon=config.horizon if config.temporal else 1,
            info=["converged"],
            **kwargs,
        )
        self.previous = torch.full((*self.batch_size, self.n_agents), -1, device=self.device)

    def _restart(self, mask: Tensor) -> None:
        self.previous = self.previous.masked_fill(mask.unsqueeze(-1), -1)

    def _observe(self) -> dict[str, Any]:
        state = self._joint_action()
        return {
            "observation": state.unsqueeze(1).repeat(1, self.n_agents, 1),
            "state": state,
            "info": {"converged": self._converged().unsqueeze(-1).float()},
        }

    def _advance(self, action: Tensor) -> tuple[Tensor, None]:
        self.previous = action.clone()
        counts = self._counts()
        if self.config.game == "specialisation":
            return 1 / counts, None
        return 1 / (self.n_agents - counts + 1), None

    def _counts(self) -> Tensor:
        """Return how many agents chose each agent's action, itself included, ``[B, N]``."""
        same = self.previous.unsqueeze(-1) == self.previous.unsqueeze(-2)
        return same.sum(-1)

    def _converged(self) -> Tensor:
        best = 1 if self.config.game == "specialisation" else self.n_agents
        return ((self._counts() == best) & (self.previous >= 0)).all(-1)

    def _joint_action(self) -> Tensor:
        if not self.config.temporal:
            return torch.zeros(*self.batch_size, 1, device=self.device)
        started = (self.previous >= 0).unsqueeze(-1)
        actions = one_hot(self.previous.clamp_min(0), self.n_actions).float()
        return torch.where(started, actions, -1.0).flatten(1)

    def render(self, mode: str = "rgb_array") -> Any:
        """Return a picture of the first environment's last joint action.

        The picture is ``[N * CELL, K * CELL, 3]`` of ``uint8``, with a row of cells per agent and a
        column per action.
        """
        picture = canvas(self.n_agents * CELL, self.n_actions * CELL)
        agents = torch.arange(self.n_agents)
        chosen = self.previous[0].cpu()
        centres = torch.stack([agents, chosen], -1) * CELL + CELL // 2
        draw_squares(picture, centres, palette(self.n_agents), CELL // 2)
        return picture.numpy()


class GamesClass(TeamClass):
    """A matrix game as a BenchMARL task."""

    family = "games"
    config_type = GameConfig
    env_type = GameEnv
    seeds_at_once = True
    rendered = True


class GamesTask(FamilyTask):
    """Both games with 2, 4, 8 and 16 agents."""

    SPECIALISATION_2 = None
    SPECIALISATION_4 = None
    SPECIALISATION_8 = None
    SPECIALISATION_16 = None
    SYNCHRONISATION_2 = None
    SYNCHRONISATION_4 = None
    SYNCHRONISATION_8 = None
    SYNCHRONISATION_16 = None

    @staticmethod
    def associated_class() -> type[GamesClass]:
        """Return the class of these tasks."""
        return GamesClass
