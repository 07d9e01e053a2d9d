"""How far a step moves the weights that agents run on: ``python benchmarks/step_sizes.py``.

Adam moves every parameter by about its learning rate. A weight that many parameters write moves
further. Here, networks get a random gradient at the weights that agents run on, and take one step.
The unit of all numbers is the learning rate. Of each network, the first table shows

- the common step: how far the weights of all agents move along the sign of the gradient, if all
  agents have the same gradient;
- the own step: how far the weights of agents move apart, as the root mean square less the mean over
  agents, if gradients are unrelated; and the part of it along the sign of the agent's own gradient.

The second table has chosen steps (``step_norm: unit``), for many sizes. The third one has them
after 1,000 steps of training in a game. There, codes have moved; the last column has the own step
that multipliers fixed at the start would give.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from networks import OURS, network
from short_runs import ShortRuns, hidden
from torch import Tensor

from benchmarl_hyper.models.hypermarl.hypernetwork import Hypernetwork
from benchmarl_hyper.models.hypermarl.step_norm import COMMON_STEP, OWN_STEP
from benchmarl_hyper.terminal import table

RATE, DRAWS = 1e-3, 20
UNIT = {"step_norm": "unit"}
CHOSEN: dict[str, dict[str, Any]] = {
    "hypermarl_linear, unit": UNIT,
    "hypermarl_mlp, unit": UNIT,
    "hypermarl_mlp, unit codes": {"code_norm": "unit"},
    "hypermarl_lowrank, unit": UNIT,
}
AGENTS, CELLS = (2, 4, 16, 64), (64, 256)
SIZES: list[dict[str, Any]] = [
    {"embedding_dim": dim, "hypernet_cells": [units]}
    for dim, units in itertools.product((4, 16, 64), (16, 64, 256))
]
ITERATIONS = 63  # of 16 steps
TRAINED = {
    "hypermarl": (),
    "hypermarl_linear": ("model.step_norm=unit", "critic_model.step_norm=unit"),
}
WITHIN = {"common": 0.05, "own": 0.2}  # how close chosen steps are meant to be


class Step(NamedTuple):
    """A step of the weights that agents run on, in learning rates."""

    common: float
    own: float
    along: float


def step(model: torch.nn.Module) -> Step:
    """Return the common step of a model, and its own step, both from where it is."""
    gradients = [torch.randn_like(weight) for weight in weights(model)]
    alike = moved(model, [g[:1].expand_as(g) for g in gradients])
    apart = moved(model, gradients)
    own = [change - change.mean(0) for change in apart]
    signs = [g.sign() for g in gradients]
    return Step(
        _flat(alike, [sign[:1] for sign in signs]).mean().item(),
        _flat(own).square().mean().sqrt().item(),
        _flat(own, signs).mean().item(),
    )


def _flat(tensors: list[Tensor], signs: list[Tensor] | None = None) -> Tensor:
    signs = signs or [torch.ones(()) for _ in tensors]
    return torch.cat([(x * sign).flatten() for x, sign in zip(tensors, signs, strict=True)])


def moved(model: torch.nn.Module, gradients: list[Tensor]) -> list[Tensor]:
    """Return the change of weights in a first step of Adam, which is then taken back.

    Args:
        model: a model of ours.
        gradients: the negative gradients of its ``weights``.
    """
    kept = [parameter.detach().clone() for parameter in model.parameters()]
    before = weights(model)
    sum((-g * w).sum() for g, w in zip(gradients, before, strict=True)).backward()
    before = [weight.detach().clone() for weight in before]  # those of tables are views
    torch.optim.Adam(model.parameters(), lr=RATE, eps=1e-12).step()
    changes = [(w - v).detach() / RATE for w, v in zip(weights(model), before, strict=True)]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), kept, strict=True):
            parameter.copy_(value)
            parameter.grad = None
    return changes


def weights(model: torch.nn.Module) -> list[Tensor]:
    """Return all weights that agents run on, each ``[n_agents, ...]``."""
    return list(model.agent_parameters().values(include_nested=True, leaves_only=True))


def mean(name: str, n_agents: int, draws: int = DRAWS, **settings: Any) -> Step:
    """Return the mean step over initialisations.

    Args:
        name: name of a model, and behind a comma what distinguishes it.
        n_agents: number of agents.
        draws: number of initialisations.
        **settings: fields of the model's config, ``cells`` and ``critic``.
    """
    cells, critic = settings.pop("cells", 64), settings.pop("critic", False)
    settings = {**CHOSEN.get(name, {}), **settings}
    steps = [
        step(network(name.partition(",")[0], n_agents, [cells, cells], critic, **settings))
        for _ in range(draws)
    ]
    return Step(*(sum(values) / draws for values in zip(*steps, strict=True)))


def trained(variant: str, *overrides: str) -> Iterator[tuple[str, Step, float]]:
    """Train with IPPO for 1,000 steps, and measure policy and critic where they have come to.

    Args:
        variant: name of the variant.
        *overrides: other settings, as on the command line.

    Yields:
        ``policy`` or ``critic``, its step, and the own step with the multipliers of the start.
    """
    words = ["+scenario=games/specialisation_8", f"variant={variant}", *hidden(64), *overrides]
    with TemporaryDirectory() as folder:
        run = ShortRuns(words, ITERATIONS, folder).alone([].append)
        loss = run.losses["agents"]
        parts = {"policy": loss.actor_network, "critic": loss.critic_network}
        models = {
            name: next(m for m in part.modules() if hasattr(m, "agent_parameters"))
            for name, part in parts.items()
        }
        scales = {}
        for when in ("start", "end"):
            for name, part in parts.items():
                with getattr(loss, f"{_NAMES[name]}_params").to_module(part), torch.no_grad():
                    generator: Any = models[name].generator
                    assert isinstance(generator, Hypernetwork)
                    scales[name, when] = generator.centred().scale
            if when == "start":
                run.run()
        for name, part in parts.items():
            with getattr(loss, f"{_NAMES[name]}_params").to_module(part):
                found = step(models[name])
            drift = (scales[name, "start"] / scales[name, "end"]).mean().item()
            yield name, found, found.own * drift


_NAMES = {"policy": "actor_network", "critic": "critic_network"}


def main() -> None:
    """Measure all models, and print two tables."""
    torch.manual_seed(0)
    print("Steps of the weights that agents run on: common / own, and the part along own gradients")
    rows = [["", *(f"{n} agents" for n in AGENTS)]]
    for name in (*OURS, *CHOSEN):
        found = [mean(name, n) for n in AGENTS]
        rows.append([name, *(f"{s.common:.2f} / {s.own:.2f} ({s.along:.2f})" for s in found)])
    print(table(rows), end="\n\n")
    print(f"Chosen steps, {COMMON_STEP} and {OWN_STEP}: smallest and largest of all sizes")
    rows = [["", "common", "own", "outside"]]
    for name in (name for name in CHOSEN if name.endswith("unit")):
        found = []
        for n, cells, critic in itertools.product(AGENTS, CELLS, (False, True)):
            for sizes in [{}] if name.startswith("hypermarl_linear") else SIZES:
                found.append(mean(name, n, 1, cells=cells, critic=critic, **sizes))
        errors = ((s.common / COMMON_STEP - 1, s.own / OWN_STEP - 1) for s in found)
        outside = sum(
            abs(common) > WITHIN["common"] or abs(own) > WITHIN["own"] for common, own in errors
        )
        ends = [f"{min(x):.2f} to {max(x):.2f}" for x in list(zip(*found, strict=True))[:2]]
        rows.append([name, *ends, f"{outside} of {len(found)}"])
    print(table(rows), end="\n\n")
    print("After 1,000 steps of IPPO in the game of specialisation with 8 agents")
    rows = [["", "", "common", "own", "own with fixed multipliers"]]
    for variant, overrides in TRAINED.items():
        for part, found_step, fixed in trained(variant, *overrides):
            common, own, _ = found_step
            rows.append([variant, part, f"{common:.2f}", f"{own:.2f}", f"{fixed:.2f}"])
    print(table(rows))


if __name__ == "__main__":
    main()
