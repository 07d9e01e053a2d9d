"""The bodies of a VMAS world, read without its renderer, which needs a display."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from matplotlib.colors import to_hex
from torchrl.envs import VmasEnv

from benchmarl_hyper.replay.bodies import Bodies
from benchmarl_hyper.replay.body import Body
from benchmarl_hyper.replay.colours import PALE, palette


def vmas_bodies(env: VmasEnv) -> Bodies:
    """Return the visible bodies of a VMAS environment's first world.

    Each agent has a colour of its own; if there are several groups, each group has one. Goals have
    the colour of their agents, and other landmarks have VMAS's.
    """
    world = env.world
    colours = _agent_colours(env)
    bodies = (*_landmarks(world), *_goals(world, colours), *_agents(world, colours))
    sides = (world.x_semidim, world.y_semidim)
    border = None if None in sides else (float(sides[0]), float(sides[1]))
    return Bodies(tuple(body for body in bodies if _is_inside(body, border)), border)


def _agent_colours(env: VmasEnv) -> dict[str, str]:
    """Return the colours of all agents with a policy, by name."""
    groups = list(env.group_map.values())
    if len(groups) == 1:
        return dict(zip(groups[0], palette(len(groups[0])), strict=True))
    colours = palette(len(groups))
    return {name: colours[i] for i, group in enumerate(groups) for name in group}


def _landmarks(world: Any) -> Iterator[Body]:
    goals = [agent.goal for agent in world.agents]
    for landmark in _visible(world.landmarks):
        if not any(landmark is goal for goal in goals):
            layer = "thing" if landmark.movable or landmark.rotatable else "ground"
            yield _body(landmark, _colour(landmark), layer)


def _goals(world: Any, colours: dict[str, str]) -> Iterator[Body]:
    """Yield a goal per agent that has one; several agents may have the same landmark."""
    for agent in world.agents:
        if any(agent.goal is landmark for landmark in _visible(world.landmarks)):
            goal = _body(agent.goal, colours.get(agent.name, PALE), "ground")
            yield goal._replace(name=f"goal of {agent.name}")


def _agents(world: Any, colours: dict[str, str]) -> Iterator[Body]:
    from vmas.simulator.dynamics.holonomic import Holonomic

    for agent in _visible(world.agents):
        body = _body(agent, colours.get(agent.name, PALE), "agent")
        turns = not isinstance(
            agent.dynamics, Holonomic
        )  # such agents move sideways, and never turn
        yield body._replace(heading=turns and body.shape == "disc")


def _visible(entities: Any) -> Iterator[Any]:
    return (entity for entity in entities if entity.is_rendering[0])


def _is_inside(body: Body, border: tuple[float, float] | None) -> bool:
    """Return whether a body is in the world; some scenarios park what is not needed outside."""
    return border is None or all(
        abs(x) - reach <= side
        for x, reach, side in zip(body.position, body.reach(), border, strict=True)
    )


def _body(entity: Any, colour: str, layer: str) -> Body:
    shape, size = _outline(entity.shape)
    rotation = float(entity.state.rot[0])
    return Body(entity.name, shape, size, _position(entity), rotation, colour, layer)


def _colour(entity: Any) -> str:
    """Return VMAS's colour, which may be another one in each world."""
    colour = torch.as_tensor(entity.color)
    red, green, blue, *_ = (colour[0] if colour.dim() > 1 else colour).tolist()
    return to_hex((red, green, blue))


def _outline(shape: Any) -> tuple[str, tuple[float, float]]:
    from vmas.simulator.core import Box, Line

    if isinstance(shape, Box):
        return "box", (float(shape.length), float(shape.width))
    if isinstance(shape, Line):
        return "line", (float(shape.length), 0.0)
    diameter = 2 * float(shape.circumscribed_radius())
    return "disc", (diameter, diameter)


def _position(entity: Any) -> tuple[float, float]:
    x, y = entity.state.pos[0].tolist()
    return x, y
