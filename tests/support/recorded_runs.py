"""Writes run folders as the runners leave them, without running anything."""

import json
from copy import deepcopy

import yaml

from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.statistics.scores import grouped


def results(task, label, seed, returns, every=100, absolute=None, extra=None):
    """BenchMARL's JSON: ``returns`` has the episodes of each evaluation."""
    steps = {
        f"step_{i}": {
            "step_count": every * (i + 1),
            "agents_return": episodes,
            "return": episodes,
            **{name: values[i] for name, values in (extra or {}).items()},
        }
        for i, episodes in enumerate(returns)
    }
    environment, _, name = task.partition("/")
    return {
        environment: {
            name: {label: {f"seed_{seed}": {**steps, "absolute_metrics": absolute or {}}}}
        }
    }


def config(seed=0, num_cells=(64, 64), lr=0.001, model="nops", shared=True, **others):
    """A resolved configuration."""
    network = {"name": model, "num_cells": list(num_cells), **others}
    return {
        "experiment": {"lr": lr, "share_policy_params": shared, "loggers": ["csv"]},
        "algorithm": {"share_param_critic": False},
        "task": {"n_agents": 2},
        "model": network,
        "critic_model": deepcopy(network),  # what YAML would otherwise write as an alias
        "seed": seed,
    }


def own_run(
    base,
    variant="nops",
    seed=0,
    returns=((0.0, 1.0), (1.0, 2.0)),
    task="vmas/navigation",
    every=100,
    absolute=None,
    extra=None,
    settings=None,
    diagnostics=None,
    **record,
):
    """A folder of our runner; ``record`` replaces entries of run.json."""
    label = f"ippo_{variant}"
    folder = base / task.replace("/", "_") / label / f"seed_{seed}"
    name = f"ippo_{variant}_{seed}"
    (folder / name).mkdir(parents=True)
    returns = [list(episodes) for episodes in returns]
    content = results(
        task, label, seed, returns, every, absolute and {"return": list(absolute)}, extra
    )
    (folder / name / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "config.yaml").write_text(
        yaml.safe_dump(settings or config(seed, model=variant)), encoding="utf-8"
    )
    if diagnostics is not None:
        lines = "".join(json.dumps(line) + "\n" for line in diagnostics)
        (folder / name / "diagnostics.jsonl").write_text(lines, encoding="utf-8")
    entries = {
        "task": task,
        "algorithm": "ippo",
        "variant": variant,
        "label": label,
        "seed": seed,
        "status": "done",
        "error": None,
        "frames": every * len(returns),
        "max_frames": every * len(returns),
        "wall_time_s": 60.0,
        "parameters": {"policy": {"agents": 1234}, "critic": {"agents": 1000}},
        "machine": {"host": "here", "device": "cpu", "cpu": "a cpu", "threads": 1},
        "versions": {"benchmarl": "1.5.2", "torch": "2.13.0"},
        "commit": "0123abc",
        "evaluation_episodes": len(returns[-1]),
        "absolute_frames": every if absolute else None,
    }
    (folder / "run.json").write_text(json.dumps({**entries, **record}), encoding="utf-8")
    return folder


def benchmarl_run(
    base,
    seed=0,
    returns=((0.0, 1.0), (1.0, 2.0)),
    settings=None,
    choices=None,
    hydra=True,
    every=100,
):
    """A folder of BenchMARL's runner, whose absolute metric is the best episode."""
    base.mkdir(parents=True)
    name = f"ippo_navigation_mlp__{base.name}"
    (base / name).mkdir()
    returns = [list(episodes) for episodes in returns]
    best = {"return": [max(max(episodes) for episodes in returns)]}
    content = results("vmas/navigation", "ippo", seed, returns, every, best)
    (base / name / f"{name}.json").write_text(json.dumps(content, indent=4), encoding="utf-8")
    if hydra:
        (base / ".hydra").mkdir()
        settings = settings or config(seed, model="mlp")
        (base / ".hydra" / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        chosen = {
            "algorithm": "ippo",
            "model": "layers/mlp",
            "model@critic_model": "layers/mlp",
            **(choices or {}),
        }
        content = {"hydra": {"runtime": {"choices": chosen}}}
        (base / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return base


def diagnostic(frames, name, **value):
    """A line of diagnostics.jsonl."""
    return {"frames": frames, "group": "agents", "name": name, **value}


def groups_of(folder):
    """Runs below a folder, by task and label."""
    return grouped(read([folder]).runs)
