"""Speed of policies in a rollout, without gradient: ``python benchmarks/forward.py``.

Every model is called with a TensorDict, as the collector calls it, and compared with BenchMARL's
``mlp``. The forward pass inside our models is also compared with the bare chain of
``torch.baddbmm`` and ``tanh`` on separate weights. All of them take turns on one torch thread, and
times are medians.
"""

from __future__ import annotations

import itertools

import torch
from networks import OURS, SHARED, UNSHARED, bare, network, observations
from timing import Times, header, verdict

from benchmarl_hyper.running.rollout_cache import fixed_parameters
from benchmarl_hyper.terminal import table

CASES = list(itertools.product((4, 16), (10, 600), ([64, 64], [256, 256])))
BARE = "bare chain"
TARGETS = {UNSHARED: 0.75, SHARED: 1.1, BARE: 1.25}
HYPERMARL = [name for name in OURS if name.startswith("hypermarl")]


def measure(n_agents: int, n_envs: int, cells: list[int]) -> Times:
    """Measure the models, the forward pass inside HyperMARL's models, and the bare chain."""
    models = {name: network(name, n_agents, cells) for name in [*OURS, SHARED, UNSHARED]}
    data = observations(n_agents, n_envs)
    x = data["agents", "observation"]
    chain = [(w.detach(), b.detach()) for w, b in models["nops"].generate()]
    functions = {name: (lambda model=model: model(data)) for name, model in models.items()}
    for name in HYPERMARL:
        functions[inside(name)] = lambda model=models[name]: model._run_agents(x, own_inputs=True)
    functions[BARE] = lambda: bare(x.transpose(0, 1), chain)
    with torch.no_grad(), fixed_parameters():
        return Times(functions, rounds=101 if n_envs < 100 else 31)


def inside(name: str) -> str:
    """Return the name for a model's forward pass without a TensorDict."""
    return f"{name}, inside"


def targets(times: Times, case: list[str]) -> list[list[str]]:
    """Return a row per reference: the slowest HyperMARL model, and the bare chain as the limit."""
    rows = []
    for reference, target in TARGETS.items():
        names = [inside(name) if reference == BARE else name for name in HYPERMARL]
        ratios = {name: times.ratio(name, reference) for name in names}
        slowest = max(ratios, key=lambda name: ratios[name])
        limit = f"{times.ratio(BARE, reference):.2f}"
        met = verdict(ratios[slowest], target)
        rows.append([reference, *case, slowest, f"{ratios[slowest]:.2f}", limit, str(target), met])
    return rows


def main() -> None:
    """Measure all cases, and print two tables."""
    torch.set_num_threads(1)
    rows, summary = [], []
    for n_agents, n_envs, cells in CASES:
        times, case = measure(n_agents, n_envs, cells), [str(n_agents), str(n_envs), str(cells)]
        for name in times.seconds:
            ratios = [f"{times.ratio(name, reference):.2f}" for reference in TARGETS]
            rows.append([*case, name, f"{times.median(name) * 1e6:,.0f}", *ratios])
        summary += targets(times, case)
    print(header())
    print(table([["agents", "envs", "cells", "model", "us", *(f"/ {x}" for x in TARGETS)], *rows]))
    print()
    columns = ["against", "agents", "envs", "cells", "slowest HyperMARL", "ratio", BARE, "target"]
    print(table([[*columns, ""], *sorted(summary, key=lambda row: row[0])]))


if __name__ == "__main__":
    main()
