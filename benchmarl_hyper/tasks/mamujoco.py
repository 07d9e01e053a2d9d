"""Multi-agent MuJoCo: the actuators of a body are divided among a team."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import layer_norm
from torch.nn.utils.rnn import pad_sequence

from benchmarl_hyper.tasks.base import FamilyTask, TeamClass
from benchmarl_hyper.tasks.listing import EXTRAS
from benchmarl_hyper.tasks.team_env import Box, TeamEnv

SWIMMER = "ManySegmentSwimmer"
SCENARIOS = ("Ant", "HalfCheetah", "Humanoid", SWIMMER, "Walker2d")
VERSIONS = ("v4", "v5")
OBS_MODES = ("full", "local")
PIXELS = 240  # height and width of a picture


@dataclass
class MamujocoConfig:
    """Values of a body and its team (multi-agent MuJoCo, arXiv 2003.06709).

    Attributes:
        scenario: gymnasium-robotics' name of the body.
        agent_conf: gymnasium-robotics' name of a division of the body's actuators, often
            ``<agents>x<actuators per agent>``. In addition to gymnasium-robotics' own names,
            ``17x1`` gives each actuator of the humanoid to an agent.
        version: gymnasium's version of the body, ``v5`` or ``v4``.
        obs_mode: ``full`` shows the whole body state to every agent; ``local`` shows each agent
            what gymnasium-robotics selects for it, padded with zeros to the longest observation.
        agent_obsk: in ``local`` mode, how many joints beyond its own an agent sees.
        standardise: whether each observation (without its padding) and the state are shifted and
            scaled to mean 0 and standard deviation 1 over their entries.
        use_contact_forces: for Ant in v4, whether contact forces are part of the state and of the
            reward; in v5 they always are.
        horizon: number of steps after which an episode is truncated.

    Raises:
        ValueError: if a name is unknown, if a number is out of range, or if values exclude each
            other.
    """

    scenario: str
    agent_conf: str
    version: str
    obs_mode: str
    agent_obsk: int
    standardise: bool
    use_contact_forces: bool
    horizon: int

    def __post_init__(self) -> None:
        choices = {"scenario": SCENARIOS, "version": VERSIONS, "obs_mode": OBS_MODES}
        for key, known in choices.items():
            if (value := getattr(self, key)) not in known:
                raise ValueError(f"{key} must be one of {', '.join(known)}, got {value!r}")
        if self.agent_obsk < 0:
            raise ValueError(f"agent_obsk must be zero or more, got {self.agent_obsk}")
        if self.horizon < 1:
            raise ValueError(f"horizon must be positive, got {self.horizon}")
        if self.version == "v4" and (self.obs_mode == "local" or self.scenario == SWIMMER):
            raise ValueError(
                f"version 'v4' has no obs_mode 'local' and no scenario '{SWIMMER}'; set version=v5"
            )
        if self.use_contact_forces and (self.scenario, self.version) != ("Ant", "v4"):
            raise ValueError(
                "use_contact_forces=True is only for scenario 'Ant' in version 'v4', got "
                f"{self.scenario!r} in {self.version!r}; set use_contact_forces=False"
            )


class MamujocoEnv(TeamEnv):
    """Bodies whose actuators are controlled by a team of agents.

    Every agent receives the body's reward. An episode is terminated when the body's own episode is.
    An agent's action has one entry per actuator of its part, in the part's order. Agents with fewer
    actuators than others have additional entries that have no effect.

    Args:
        config: the task's values.
        num_envs: number of bodies, ``B``; they are stepped one after the other.
        **kwargs: ``seed`` and ``device`` of :class:`TeamEnv`.
    """

    def __init__(self, config: MamujocoConfig, num_envs: int, **kwargs: Any):
        graph = _graph(config)
        self.config = config
        self.bodies = [_body(config) for _ in range(num_envs)]
        n_state = self.bodies[0].observation_space.shape[0]
        self.states = np.zeros((num_envs, n_state))
        actuators = self.bodies[0].action_space
        parts = [[node.act_ids for node in part] for part in graph["partition"]]
        n_entries = max(map(len, parts))
        slots = {
            actuator: agent * n_entries + entry
            for agent, part in enumerate(parts)
            for entry, actuator in enumerate(part)
        }
        self.slots = torch.tensor([slots[actuator] for actuator in range(*actuators.shape)])
        self.views = [torch.arange(n_state)] * len(parts)
        if config.obs_mode == "local":
            self.views = _local_views(config, graph, self.bodies[0])
        super().__init__(
            num_envs,
            n_agents=len(parts),
            n_observations=max(map(len, self.views)),
            n_state=n_state,
            # All actuators of a body have the same bounds.
            actions=Box(n_entries, float(actuators.low[0]), float(actuators.high[0])),
            horizon=config.horizon,
            **kwargs,
        )

    def _restart(self, mask: Tensor) -> None:
        seeds = torch.randint(
            2**31, self.batch_size, generator=self.generator, device=self.device
        ).tolist()
        for index in mask.nonzero().flatten().tolist():
            self.states[index], _ = self.bodies[index].reset(seed=seeds[index])

    def _observe(self) -> dict[str, Any]:
        state = torch.tensor(self.states, dtype=torch.float32, device=self.device)
        views = [self._scaled(state[:, view]).T for view in self.views]
        return {
            "observation": pad_sequence(views).permute(2, 1, 0).contiguous(),
            "state": self._scaled(state),
        }

    def _advance(self, action: Tensor) -> tuple[Tensor, Tensor]:
        commands = action.flatten(1)[:, self.slots].cpu().numpy()
        rewards, over = [], []
        for index, (body, command) in enumerate(zip(self.bodies, commands, strict=True)):
            self.states[index], reward, terminated, _, _ = body.step(command)
            rewards.append(reward)
            over.append(terminated)
        reward = torch.tensor(rewards, dtype=torch.float32, device=self.device)
        return reward.unsqueeze(-1).repeat(1, self.n_agents), torch.tensor(over, device=self.device)

    def _scaled(self, vectors: Tensor) -> Tensor:
        if not self.config.standardise:
            return vectors
        return layer_norm(vectors, vectors.shape[-1:], eps=1e-8)

    def render(self, mode: str = "rgb_array") -> Any:
        """Return a picture of the first environment's body, ``[PIXELS, PIXELS, 3]`` of ``uint8``.

        Raises:
            RuntimeError: if MuJoCo finds no OpenGL that it can use.
        """
        if sys.platform == "linux" and "DISPLAY" not in os.environ:
            os.environ.setdefault("MUJOCO_GL", "egl")  # MuJoCo's own default needs a display
        try:
            return self.bodies[0].mujoco_renderer.render(mode).copy()
        except Exception as error:  # each OpenGL backend raises an exception of its own
            raise RuntimeError(
                f"MuJoCo cannot draw with MUJOCO_GL={os.environ.get('MUJOCO_GL')}; set it to egl, "
                "osmesa or glfw (which needs a display), whichever is installed, or set "
                "experiment.render=False"
            ) from error

    def close(self, **kwargs: Any) -> None:
        """Close the bodies and their renderers."""
        for body in self.bodies:
            body.close()
        super().close(**kwargs)


def _body(config: MamujocoConfig) -> Any:
    """Return the body as a gymnasium environment without a time limit."""
    import gymnasium
    from gymnasium_robotics.envs.multiagent_mujoco.many_segment_swimmer import gen_asset

    settings: dict[str, Any] = {"width": PIXELS, "height": PIXELS}
    if config.use_contact_forces:
        settings["use_contact_forces"] = True
    with TemporaryDirectory() as folder:
        if config.scenario == SWIMMER:
            n_agents, n_segments = map(int, config.agent_conf.split("x"))
            settings["xml_file"] = str(Path(folder) / "swimmer.xml")
            gen_asset(n_agents * n_segments, settings["xml_file"])
        name = "Swimmer" if config.scenario == SWIMMER else config.scenario
        body: Any = gymnasium.make(f"{name}-{config.version}", **settings).unwrapped
    body.model.vis.quality.shadowsize = 0  # without a GPU, shadows take most of the rendering time
    return body


def _graph(config: MamujocoConfig) -> dict[str, Any]:
    """Return every agent's joints and how they are connected, in gymnasium-robotics' format."""
    from gymnasium_robotics.envs.multiagent_mujoco.mamujoco_v1 import get_parts_and_edges

    one_each = (config.scenario, config.agent_conf) == ("Humanoid", "17x1")
    conf = None if one_each else config.agent_conf
    parts, edges, roots = get_parts_and_edges(config.scenario, conf)
    if one_each:
        parts = [(node,) for node in sorted(parts[0], key=attrgetter("act_ids"))]
    return {"partition": parts, "edges": edges, "globals": roots}


def _local_views(config: MamujocoConfig, graph: dict[str, Any], body: Any) -> list[Tensor]:
    """Return the indices of the entries of the body state that each agent sees."""
    from gymnasium_robotics.envs.multiagent_mujoco.mamujoco_v1 import parallel_env

    team = parallel_env(config.scenario, config.agent_conf, config.agent_obsk, graph, gym_env=body)
    return [torch.tensor(view) for view in team.observation_factorization.values()]


class MamujocoClass(TeamClass):
    """A body and its team as a BenchMARL task."""

    family = "mamujoco"
    config_type = MamujocoConfig
    env_type = MamujocoEnv
    extra, modules = EXTRAS[family]
    continuous = True
    rendered = True


class MamujocoTask(FamilyTask):
    """Bodies, named with their number of agents and of actuators per agent."""

    HUMANOID_17X1 = None
    WALKER2D_2X3 = None
    HALFCHEETAH_2X3 = None
    ANT_4X2 = None
    SWIMMER_10X2 = None

    @staticmethod
    def associated_class() -> type[MamujocoClass]:
        """Return the class of these tasks."""
        return MamujocoClass
