"""Where results come from: versions, commit, machine, and the sizes of networks."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any

import torch
from benchmarl.experiment import Experiment

PACKAGES = (
    "benchmarl-hyper",
    "benchmarl",
    "torchrl",
    "tensordict",
    "torch",
    "numpy",
    "hydra-core",
    "vmas",
    "mujoco",
    "gymnasium-robotics",
    "jax",
    "jaxmarl",
)


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that results depend on, by package."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the git commit of the working directory; None if there is no repository.

    ``+changes`` follows the commit if files differ from it.
    """
    head = _git("rev-parse", "HEAD")
    return None if head is None else head + ("+changes" if _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, encoding="utf-8", check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def machine(device: str) -> dict[str, Any]:
    """Describe the machine on which a run executes.

    Args:
        device: training device, for example ``cuda:0``.
    """
    on_gpu = device.startswith("cuda") and torch.cuda.is_available()
    return {
        "host": platform.node(),
        "device": f"{device}: {torch.cuda.get_device_name(device)}" if on_gpu else device,
        "cpu": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }


def parameter_counts(run: Experiment) -> dict[str, dict[str, int]]:
    """Count the trainable parameters of policy and critic, by group.

    Everything that is not the policy counts as the critic. This includes the mixer of value-based
    algorithms and all members of an ensemble, but not target networks.
    """
    counts: dict[str, dict[str, int]] = {"policy": {}, "critic": {}}
    for group, optimizers in run.optimizers.items():
        policy = {id(p): p.numel() for p in run.algorithm.get_policy_for_loss(group).parameters()}
        groups = chain.from_iterable(
            optimizer.param_groups for name, optimizer in optimizers.items() if name != "loss_alpha"
        )
        trained = {id(p): p.numel() for parts in groups for p in parts["params"]}
        counts["policy"][group] = sum(policy.values())
        counts["critic"][group] = sum(n for key, n in trained.items() if key not in policy)
    return counts
