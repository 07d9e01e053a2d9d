"""The bodies of Blind-Particle Spread."""

from __future__ import annotations

from benchmarl_hyper.replay.bodies import Bodies
from benchmarl_hyper.replay.body import Body
from benchmarl_hyper.replay.colours import palette
from benchmarl_hyper.tasks.bps import BpsEnv

LANDMARK, AGENT = 0.7, 0.28  # diameters; the task has points


def bps_bodies(env: BpsEnv) -> Bodies:
    """Return the first environment's landmarks and agents, in the colours of their groups."""
    colours = palette(len(env.config.groups))
    landmarks = [
        _disc(f"landmark {i}", LANDMARK, place, colours[i], "ground")
        for i, place in enumerate(env.landmark[0].tolist())
    ]
    agents = [
        _disc(f"agent {i}", AGENT, place, colours[group], "agent")
        for i, (place, group) in enumerate(
            zip(env.position[0].tolist(), env.group.tolist(), strict=True)
        )
    ]
    return Bodies((*landmarks, *agents))


def _disc(name: str, diameter: float, place: list[float], colour: str, layer: str) -> Body:
    x, y = place
    return Body(name, "disc", (diameter, diameter), (x, y), 0.0, colour, layer)
