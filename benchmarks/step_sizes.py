"""How far a step moves the weights that agents run on: ``python benchmarks/step_sizes.py``.

Adam moves every parameter by about its learning rate. With the same learning rate, a weight that
many parameters write moves further. Here, policies of [64, 64] get a random gradient at the weights
that agents run on, and take one step. The table shows the root mean square of the change of these
weights, as a mean over initialisations. Its unit is the learning rate, by which the weights of
separate networks move.
"""

from __future__ import annotations

import torch
from networks import OURS, network
from torch import Tensor

from benchmarl_hyper.terminal import table

RATE, DRAWS = 1e-3, 20
UNIT = "hypermarl_mlp_unit"


def moved(name: str, n_agents: int, alike: bool) -> float:
    """Return the root mean square of the change, divided by the learning rate.

    Args:
        name: name of a model, or ``UNIT``.
        n_agents: number of agents.
        alike: whether the gradients of all agents are equal; if False, they are independent.
    """
    model = (
        network("hypermarl_mlp", n_agents, [64, 64], code_norm="unit")
        if name == UNIT
        else network(name, n_agents, [64, 64])
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    before = weights(model)
    gradient = [torch.randn_like(weight[:1] if alike else weight) for weight in before]
    sum((g * w).sum() for g, w in zip(gradient, before, strict=True)).backward()
    before = [weight.detach().clone() for weight in before]  # those of tables are views
    optimiser.step()
    changes = [(w - v).detach().flatten() for w, v in zip(weights(model), before, strict=True)]
    return (torch.cat(changes).square().mean().sqrt() / RATE).item()


def weights(model: torch.nn.Module) -> list[Tensor]:
    """Return all weights that agents run on, each ``[n_agents, ...]``."""
    return list(model.agent_parameters().values(include_nested=True, leaves_only=True))


def main() -> None:
    """Measure all models, and print a table."""
    torch.manual_seed(0)
    cases = [(n, alike) for alike in (True, False) for n in (2, 8)]
    header = [f"{n} agents, gradients {'alike' if alike else 'unrelated'}" for n, alike in cases]
    rows = []
    for name in (*OURS, UNIT):
        means = [sum(moved(name, *case) for _ in range(DRAWS)) / DRAWS for case in cases]
        rows.append([name, *(f"{mean:.2f}" for mean in means)])
    print(table([["change of weights, learning rates", *header], *rows]))


if __name__ == "__main__":
    main()
