"""A task and a model of your own, which importing this module registers.

Start it from the folder that holds ``examples``:

    python -m benchmarl_hyper.run --config-dir examples/extending/conf \
        plugins=[examples.extending.my_project] task=line/meet variant=two_networks algorithm=ippo

Each class is as short as it can be; BenchMARL's own models and tasks can be used as well.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp, GeneratedMlpConfig
from benchmarl_hyper.registry import register_model, register_task
from benchmarl_hyper.tasks.base import FamilyTask, TeamClass
from benchmarl_hyper.tasks.team_env import Box, TeamEnv
from benchmarl_hyper.weights.layers import Layer
from benchmarl_hyper.weights.rows import Rows, Table

CONF = Path(__file__).parent / "conf"


@dataclass
class MeetConfig:
    """The keys of conf/task/line/meet.yaml, and their types."""

    n_agents: int
    horizon: int


class MeetEnv(TeamEnv):
    """Agents on a line see where they are, and should meet in the middle."""

    def __init__(self, config, **kwargs):
        sizes = {"n_agents": config.n_agents, "n_observations": 1, "horizon": config.horizon}
        super().__init__(actions=Box(1, -0.1, 0.1), **sizes, **kwargs)
        self.places = self.uniform(-1, 1, config.n_agents)

    def _restart(self, mask):
        new = self.uniform(-1, 1, self.n_agents)
        self.places = torch.where(mask.unsqueeze(-1), new, self.places)

    def _observe(self):
        return {"observation": self.places.unsqueeze(-1)}

    def _advance(self, action):
        self.places = self.places + action.squeeze(-1)
        return -self.places.abs(), None


class LineClass(TeamClass):
    """The family of tasks ``line``."""

    family, conf = "line", CONF
    config_type, env_type, continuous = MeetConfig, MeetEnv, True


class LineTask(FamilyTask):
    """Its tasks; each has a file in conf/task/line."""

    MEET = None

    @staticmethod
    def associated_class():
        """Return the class of these tasks."""
        return LineClass


class Alternating(Table):
    """A generator with two networks, one for agents 0, 2, 4 and one for agents 1, 3, 5."""

    def __init__(self, n_agents, specs):
        super().__init__(Rows(2, spec) for spec in specs)
        self.n_agents = n_agents

    def forward(self):
        """Return the layers with a row per agent, first layer first."""
        times = -(-self.n_agents // 2)
        return [
            Layer(*(rows.repeat(times, 1, 1)[: self.n_agents] for rows in layer))
            for layer in super().forward()
        ]


class TwoNetworks(GeneratedMlp):
    """Every second agent shares a network."""

    def __init__(self, **kwargs):
        super().__init__(Alternating, **kwargs)


@dataclass(kw_only=True)
class TwoNetworksConfig(GeneratedMlpConfig):
    """The keys of conf/model/layers/two_networks.yaml."""

    conf = CONF

    @staticmethod
    def associated_class():
        """Return the model that this configuration builds."""
        return TwoNetworks


for task in LineTask:
    register_task(task)
register_model(TwoNetworksConfig)
