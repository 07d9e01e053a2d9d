"""Speed compared with the published formulation: ``python benchmarks/published.py``.

HyperMARL's public code runs every agent's network on every agent's sample, and then selects the
output of each sample's own network. This benchmark runs both formulations on the same generated
weights of [64, 64], without gradient. They take turns on one torch thread, and times are medians.
"""

from __future__ import annotations

import torch
from networks import bare, network, observations
from timing import Times, header, verdict

from benchmarl_hyper.running.rollout_cache import fixed_parameters
from benchmarl_hyper.terminal import table

TARGET = 1 / 8


def main() -> None:
    """Measure both formulations, and print a table."""
    torch.set_num_threads(1)
    rows = []
    for n_agents in (4, 16):
        for n_envs in (10, 600):
            model, data = (
                network("hypermarl_mlp", n_agents, [64, 64]),
                observations(n_agents, n_envs),
            )
            x = data["agents", "observation"]
            chain = [(w.detach(), b.detach()) for w, b in model.generate()]
            owner = torch.arange(n_agents, device=x.device).repeat(n_envs)
            sample = torch.arange(len(owner), device=x.device)

            def published(x=x, chain=chain, owner=owner, sample=sample, n=n_agents):
                everybody = bare(x.flatten(0, 1).expand(n, -1, -1), chain)
                return everybody[owner, sample].unflatten(0, x.shape[:2])

            def ours(model=model, x=x):
                return model._run_agents(x, own_inputs=True)

            with torch.no_grad(), fixed_parameters():
                torch.testing.assert_close(ours(), published(), atol=1e-5, rtol=1e-4)
                times = Times({"ours": ours, "published": published}, rounds=31)
            ratio = times.ratio("ours", "published")
            row = [str(n_agents), str(n_envs)]
            row += [f"{times.median(name) * 1e6:,.0f}" for name in ("ours", "published")]
            met = [f"{TARGET}", verdict(ratio, TARGET)] if n_agents == 16 else ["", ""]
            rows.append([*row, f"{ratio:.3f}", *met])
    print(header())
    print(table([["agents", "envs", "ours, us", "published, us", "ratio", "target", ""], *rows]))


if __name__ == "__main__":
    main()
