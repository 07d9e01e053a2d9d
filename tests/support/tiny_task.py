"""A task of four steps, for all kinds of actions: with a global state, or with images or sets."""

from dataclasses import dataclass

import torch
from torchrl.data import Unbounded

from benchmarl_hyper.tasks.base import TeamClass
from benchmarl_hyper.tasks.team_env import Box, TeamEnv

N_AGENTS, HORIZON = 2, 4


class TinyEnv(TeamEnv):
    """Noise to look at; agents are rewarded for actions near their place in the team."""

    n_state: int | None = 5

    def __init__(self, continuous, **kwargs):
        super().__init__(
            n_agents=N_AGENTS,
            n_observations=3,
            n_state=self.n_state,
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


class ShapedEnv(TinyEnv):
    """The same without a state, and an agent's observation has a shape: an image, or a set."""

    n_state = None

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.seen = shape
        spec = self.observation_spec.clone()
        spec["agents", "observation"] = Unbounded((*self.batch_size, N_AGENTS, *shape))
        self.observation_spec = spec

    def _observe(self):
        return {"observation": self.uniform(0, 1, N_AGENTS, *self.seen)}


@dataclass
class ShapedConfig:
    shape: tuple[int, ...]


class ShapedClass(TinyClass):
    """The environment as a BenchMARL task."""

    config_type = ShapedConfig

    def make_env(self, num_envs, continuous_actions, seed, device):
        options = {"num_envs": num_envs, "seed": seed, "device": device}
        return ShapedEnv(self.config["shape"], continuous=continuous_actions, **options)


def shaped_task(*shape):
    """A function that makes the task, for example with ``8, 8, 3``."""
    return lambda: ShapedClass("PLACE", {"shape": shape})
