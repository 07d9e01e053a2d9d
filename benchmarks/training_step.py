"""Speed of a training step of policy and critic: ``python benchmarks/training_step.py``.

A step is the forward pass, the backward pass and fused Adam of both, for four agents and a
minibatch of 1024. The part that generates the weights and passes a gradient back from them is also
measured on its own. All models take turns on one torch thread, and times are medians.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from networks import OURS, SHARED, UNSHARED, network, observations
from timing import Times, header, verdict

from benchmarl_hyper.terminal import table

N_AGENTS, MINIBATCH = 4, 1024
TARGETS = {  # hidden sizes: model, reference, ratio
    (64, 64): [
        ("hypermarl_linear", "nops", 1.05),
        ("hypermarl_mlp", "nops", 1.5),
        ("hypermarl_lowrank", "nops", 1.05),
        ("fups", SHARED, 1.0),
        ("nops", UNSHARED, 1.0),
    ],
    (256, 256): [
        ("hypermarl_linear", "nops", 1.05),
        ("hypermarl_lowrank", "nops", 1.05),
        ("fups", SHARED, 1.0),
        ("nops", UNSHARED, 1.0),
    ],
}


def step(name: str, cells: list[int]) -> Callable[[], None]:
    """Return a function that trains a policy and a critic once, on the same data."""
    models = [network(name, N_AGENTS, cells, critic) for critic in (False, True)]
    optimisers = [torch.optim.Adam(model.parameters(), lr=1e-5, fused=True) for model in models]
    data = observations(N_AGENTS, MINIBATCH)

    def run() -> None:
        for model, optimiser in zip(models, optimisers, strict=True):
            model(data).get(model.out_key).square().mean().backward()
            optimiser.step()
            optimiser.zero_grad()

    return run


def generation(name: str, cells: list[int]) -> Callable[[], None]:
    """Return a function that generates weights of policy and critic, and backpropagates."""
    models = [network(name, N_AGENTS, cells, critic) for critic in (False, True)]

    def tensors(model):
        return [tensor for layer in model.generate() for tensor in layer]

    gradients = [[torch.randn_like(tensor) for tensor in tensors(model)] for model in models]

    def run() -> None:
        for model, gradient in zip(models, gradients, strict=True):
            torch.autograd.backward(tensors(model), gradient)
            model.zero_grad()

    return run


def main() -> None:
    """Measure all models, and print two tables."""
    torch.set_num_threads(1)
    rows, summary = [], []
    for cells, targets in TARGETS.items():
        names = [*OURS, SHARED, UNSHARED]
        functions = {name: step(name, list(cells)) for name in names}
        functions |= {f"{name}, generation": generation(name, list(cells)) for name in OURS}
        times = Times(functions, rounds=41)
        rows += [
            [str(list(cells)), name, f"{times.median(name) * 1e3:.2f}"]
            + [f"{times.median(f'{name}, generation') * 1e3:.2f}" if name in OURS else "-"]
            + [f"{times.ratio(name, other):.2f}" for other in ("nops", SHARED, UNSHARED)]
            for name in names
        ]
        for name, reference, target in targets:
            ratio = times.ratio(name, reference)
            met = verdict(ratio, target)
            summary.append([str(list(cells)), name, reference, f"{ratio:.2f}", str(target), met])
    print(header())
    columns = [
        "cells",
        "model",
        "ms",
        "share of generation",
        "/ nops",
        f"/ {SHARED}",
        f"/ {UNSHARED}",
    ]
    print(table([columns, *rows]))
    print()
    print(table([["cells", "model", "against", "ratio", "target", ""], *summary]))


if __name__ == "__main__":
    main()
