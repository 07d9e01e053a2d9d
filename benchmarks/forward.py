"""Policies in a rollout, without gradient: ``python benchmarks/forward.py``.

Every model through its TensorDict, as the collector calls it, beside BenchMARL's ``mlp``; and the
forward inside ours beside the bare chain of ``torch.baddbmm`` on the same weights. One torch
thread, all of them in turns; medians.
"""

from __future__ import annotations

import itertools

import torch
from networks import OURS, SHARED, UNSHARED, bare, network, observations
from timing import Times, header, verdict

from benchmarl_hyper.rollouts import fixed_parameters
from benchmarl_hyper.tables import table

AGENTS, ENVIRONMENTS, CELLS = (4, 16), (10, 600), ([64, 64], [256, 256])
TARGETS = {UNSHARED: 0.75, SHARED: 1.1, "bare": 1.25}
OWN_WEIGHTS = OURS[2:]  # the bare chain is that of separate weights


def case(n_agents: int, n_envs: int, cells: list[int]) -> dict[str, dict[str, float]]:
    """Ratios by model and reference, beside the seconds of each model."""
    models = {name: network(name, n_agents, cells) for name in [*OURS, SHARED, UNSHARED]}
    data = observations(n_agents, n_envs)
    functions = {name: (lambda model=model: model(data)) for name, model in models.items()}
    x = data["agents", "observation"]
    for name in OWN_WEIGHTS:
        functions[f"{name} inside"] = lambda model=models[name]: model._run_agents(x)
    chain = [(w.detach(), b.detach().unsqueeze(1)) for w, b in models["nops"].generate()]
    functions["bare"] = lambda: bare(x.transpose(0, 1), chain)
    with torch.no_grad(), fixed_parameters():
        times = Times(functions, rounds=101 if n_envs < 100 else 31)
    return {
        name: {
            "seconds": times.median(name),
            UNSHARED: times.ratio(name, UNSHARED),
            SHARED: times.ratio(name, SHARED),
            "bare": times.ratio(f"{name} inside", "bare") if name in OWN_WEIGHTS else float("nan"),
        }
        for name in models
    }


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    rows, worst = [], {}
    for n_agents, n_envs, cells in itertools.product(AGENTS, ENVIRONMENTS, CELLS):
        for name, ratios in case(n_agents, n_envs, cells).items():
            shown = [f"{ratios[key]:.2f}".replace("nan", "-") for key in TARGETS]
            time = f"{ratios['seconds'] * 1e6:,.0f}"
            rows.append([str(n_agents), str(n_envs), str(cells), name, time, *shown])
            for key in TARGETS if name in OURS else ():
                if ratios[key] > worst.get((name, key), (0.0, ""))[0]:
                    worst[name, key] = (ratios[key], f"{n_agents} agents, {n_envs} envs, {cells}")
    print(header())
    columns = ["agents", "envs", "cells", "model", "us", f"/ {UNSHARED}", f"/ {SHARED}"]
    print(table([[*columns, "inside / bare chain"], *rows]))
    print()
    summary = [
        [name, key, f"{ratio:.2f}", where, f"{TARGETS[key]}", verdict(ratio, TARGETS[key])]
        for (name, key), (ratio, where) in worst.items()
    ]
    print(table([["model", "against", "worst ratio", "at", "target", ""], *summary]))


if __name__ == "__main__":
    main()
