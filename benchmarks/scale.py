"""Cost of 4 to 1024 agents: ``python benchmarks/scale.py``.

The benchmark measures policies of [64, 64]: their time on 10 environments without gradient, their
number of parameters, and the memory of a training step on a minibatch of 256. Memory is the peak in
a separate process, minus what was loaded before. It uses one torch thread.
"""

from __future__ import annotations

import multiprocessing

import torch
from networks import OURS, SHARED, UNSHARED, network, observations
from timing import Times, header, peak_memory, verdict

from benchmarl_hyper.running.rollout_cache import fixed_parameters
from benchmarl_hyper.terminal import table

AGENTS, CELLS, ENVS, MINIBATCH = (4, 16, 64, 256, 1024), [64, 64], 10, 256
NAMES = ["nops", "hypermarl_linear", "hypermarl_mlp", "hypermarl_lowrank", SHARED, UNSHARED]
TARGET = 1.2


def times_per_agent(name: str) -> dict[int, Times]:
    """Measure a forward pass for each number of agents, in turns with that for 16 agents."""
    models = {n: network(name, n, CELLS) for n in AGENTS}
    data = {n: observations(n, ENVS) for n in AGENTS}

    def call(n: int):
        return lambda: models[n](data[n])

    with torch.no_grad(), fixed_parameters():
        return {n: Times({"16": call(16), "n": call(n)}, rounds=51) for n in AGENTS}


def added_memory(name: str) -> dict[int, float]:
    """Return the MiB that building a policy and training it once adds, by number of agents.

    Larger teams come later, because a peak never falls.
    """
    torch.set_num_threads(1)
    _train(network(name, 2, CELLS), 2)  # loads what is loaded at the first use
    before, peaks = peak_memory(), {}
    for n in AGENTS:
        _train(network(name, n, CELLS), n)
        peaks[n] = peak_memory() - before
    return peaks


def _train(model: torch.nn.Module, n_agents: int) -> None:
    optimiser = torch.optim.Adam(model.parameters(), fused=True)
    model(observations(n_agents, MINIBATCH)).get(("agents", "logits")).square().mean().backward()
    optimiser.step()


def main() -> None:
    """Measure all models, and print two tables."""
    torch.set_num_threads(1)
    rows, summary = [], []
    context = multiprocessing.get_context("spawn")
    for name in NAMES:
        times = times_per_agent(name)
        ratios = {n: times[n].ratio("n", "16") * 16 / n for n in AGENTS}
        counts = {n: sum(p.numel() for p in network(name, n, CELLS).parameters()) for n in AGENTS}
        with context.Pool(1) as pool:
            memory = pool.apply(added_memory, (name,))
        for n in AGENTS:
            time = f"{times[n].median('n') / n * 1e6:.2f}"
            row = [name, str(n), time, f"{ratios[n]:.2f}", f"{counts[n]:,}"]
            rows.append([*row, f"{memory[n]:,.0f}"])
        summary.append([name, "time per agent, 1024 / 16", f"{ratios[1024]:.2f}", str(TARGET)])
        summary[-1].append(verdict(ratios[1024], TARGET) if name in OURS else "")
        growth = (counts[1024] - counts[4]) / 1020
        summary.append([name, "parameters per further agent", f"{growth:,.0f}", "", ""])
    print(header())
    columns = ["model", "agents", "us per agent", "/ at 16", "parameters", "peak MiB of training"]
    print(table([columns, *rows]))
    print()
    print(table([["model", "what", "value", "target", ""], *summary]))


if __name__ == "__main__":
    main()
