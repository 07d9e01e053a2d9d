"""How far a step moves the weights that agents run on: ``python benchmarks/step_sizes.py``.

Adam moves every parameter by about its learning rate. A weight that many parameters write moves by
more, with the same learning rate. Here, policies of [64, 64] get a random gradient at the weights
that agents run on, and one step: the root mean square of how those weights change, in units of the
learning rate, which is what separate networks move by. Mean over initialisations.
"""

from __future__ import annotations

import torch
from networks import OURS, network
from torch import Tensor

from benchmarl_hyper.terminal import table

RATE, DRAWS = 1e-3, 20
UNIT = "hypermarl_mlp_unit"


def moved(name: str, n_agents: int, alike: bool) -> float:
    """Root mean square of the change, over the learning rate.

    Args:
        name: a variant.
        n_agents: number of agents.
        alike: whether all agents' gradients are the same; else they are independent.
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
    before = [weight.detach().clone() for weight in before]  # of tables, they are views
    optimiser.step()
    changes = [(w - v).detach().flatten() for w, v in zip(weights(model), before, strict=True)]
    return (torch.cat(changes).square().mean().sqrt() / RATE).item()


def weights(model: torch.nn.Module) -> list[Tensor]:
    """All that agents run on, each ``[n_agents, ...]``."""
    return list(model.agent_parameters().values(include_nested=True, leaves_only=True))


def main() -> None:
    """Measure and print."""
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
