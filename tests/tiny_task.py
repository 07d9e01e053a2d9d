"""A task of four steps with a global state, for continuous and discrete actions."""

from dataclasses import dataclass

import torch

from benchmarl_hyper.tasks.base import TeamClass
from benchmarl_hyper.tasks.env import Box, TeamEnv

N_AGENTS, HORIZON = 2, 4


class TinyEnv(TeamEnv):
    """Noise to look at; agents are rewarded for actions near their place in the team."""

    def __init__(self, continuous, **kwargs):
        super().__init__(
            n_agents=N_AGENTS,
            n_observations=3,
            n_state=5,
            actions=Box(1, -1.0, 1.0) if continuous else 3,
            horizon=HORIZON,
            **kwargs,
        )

    def _restart(self, mask):
        pass

    def _observe(self):
        return {"observation": self.uniform(0, 1, N_AGENTS, 3), "state": self.uniform(0, 1, 5)}

    def _advance(self, action):
        place = torch.arange(N_AGENTS, device=self.device)
        return -(action.float().reshape(-1, N_AGENTS) - place).abs(), None


@dataclass
class TinyConfig:
    pass


class TinyClass(TeamClass):
    """The environment as a BenchMARL task."""

    family = "tiny"

    config_type = TinyConfig

    def supports_continuous_actions(self):
        return True

    def supports_discrete_actions(self):
        return True

    def make_env(self, num_envs, continuous_actions, seed, device):
        return TinyEnv(continuous_actions, num_envs=num_envs, seed=seed, device=device)


def tiny_task():
    return TinyClass("PLACE", {})
