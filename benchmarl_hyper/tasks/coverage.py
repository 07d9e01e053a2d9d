"""Coverage, a VMAS scenario of ours: agents of different speeds and radii, who observe both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ARENA = 1.0  # agents and goals start within this distance of the centre, along each axis
DRAWN = 0.1  # radius of every agent in a picture


class Coverage:
    """Agents share the reward for covering goals with discs around themselves.

    At the start of an episode, every agent of every environment draws a speed, by which its forces
    are multiplied, and a radius. A step's reward is minus the mean over goals of the distance from
    the goal to the nearest disc; it is at most 0. Agents do not collide.

    An agent observes its position and velocity, goals relative to itself, and, if
    ``observe_team``, the relative position, speed and radius of every other agent. Its own speed
    and radius come last, so they are the features -2 and -1.
    """

    world: Any

    def make_world(
        self,
        batch_dim: int,
        device: torch.device,
        *,
        n_agents: int,
        n_goals: int,
        speeds: list[float],
        radii: list[float],
        observe_team: bool,
    ) -> Any:
        """Return the world; the keywords are those of ``conf/task/hypervmas/coverage_4.yaml``."""
        from vmas.simulator.core import Agent, Landmark, Sphere, World
        from vmas.simulator.utils import Color

        self.speeds, self.radii, self.observe_team = speeds, radii, observe_team
        world = World(batch_dim, device)
        for i in range(n_agents):
            world.add_agent(Agent(f"agent_{i}", shape=Sphere(DRAWN), collide=False))
        for i in range(n_goals):
            world.add_landmark(
                Landmark(f"goal_{i}", collide=False, shape=Sphere(0.03), color=Color.GREEN)
            )
        self.place = {agent.name: i for i, agent in enumerate(world.agents)}
        self.abilities = torch.zeros(batch_dim, n_agents, 2, device=device)  # speed, radius
        return world

    def reset_world_at(self, env_index: int | None = None) -> None:
        """Start an episode in one environment; in all of them for None."""
        world = self.world
        rows = slice(None) if env_index is None else slice(env_index, env_index + 1)
        n_rows = len(self.abilities[rows])

        def drawn(n: int, low: float, high: float) -> Tensor:
            return torch.zeros(n_rows, n, device=world.device).uniform_(low, high)

        for entity in (*world.agents, *world.landmarks):
            entity.set_pos(drawn(2, -ARENA, ARENA), batch_index=env_index)
        n_agents = len(world.agents)
        abilities = [drawn(n_agents, *self.speeds), drawn(n_agents, *self.radii)]
        self.abilities[rows] = torch.stack(abilities, -1)

    def process_action(self, agent: Any) -> None:
        """Multiply the agent's force by its speed."""
        agent.action.u = agent.action.u * self.abilities[:, self.place[agent.name], :1]

    def reward(self, agent: Any) -> Tensor:
        """Return the reward, ``[batch]``, which is the same for all agents."""
        if self.place[agent.name] == 0:
            agents, goals = (
                torch.stack([x.state.pos for x in entities], 1)
                for entities in (self.world.agents, self.world.landmarks)
            )
            distance = (agents.unsqueeze(2) - goals.unsqueeze(1)).norm(dim=-1)
            outside = (distance - self.abilities[..., 1:]).clamp(min=0)
            self.common = -outside.amin(1).mean(-1)
        return self.common

    def observation(self, agent: Any) -> Tensor:
        """Return what the agent observes, ``[batch, features]``."""
        own, pos = self.place[agent.name], agent.state.pos
        seen = [pos, agent.state.vel, *(goal.state.pos - pos for goal in self.world.landmarks)]
        if self.observe_team:
            for i, other in enumerate(self.world.agents):
                if i != own:
                    seen += [other.state.pos - pos, self.abilities[:, i]]
        return torch.cat([*seen, self.abilities[:, own]], dim=-1)


def coverage() -> Any:
    """Return the scenario; VMAS is imported only here, since it may not be installed."""
    from vmas.simulator.scenario import BaseScenario

    return type("CoverageScenario", (Coverage, BaseScenario), {})()
