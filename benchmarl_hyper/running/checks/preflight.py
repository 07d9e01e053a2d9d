"""One look at a composed configuration before anything is built: can this run work?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from benchmarl_hyper.running.checks.composition import composition_problems
from benchmarl_hyper.running.checks.settings import setting_problems
from benchmarl_hyper.running.parts import part_problems

# Launchers whose jobs run on this machine
LOCAL = ("BasicLauncher", "JoblibLauncher", "submitit_launcher.LocalLauncher")
# Rooms above add checks of what they know: functions of the configuration that yield problems.
CHECKS: list[Callable[[DictConfig], Iterable[str]]] = []


def check(cfg: DictConfig, choices: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Check a composed configuration. It takes milliseconds and changes nothing.

    Hydra's ``HydraConfig`` must hold the job's configuration. What depends on the machine, which is
    devices and packages, is checked where the job will run.

    Args:
        cfg: the composed configuration, without Hydra's part.
        choices: what Hydra has chosen for each configuration group.
        overrides: the overrides of the command line.

    Raises:
        ValueError: if a run with this configuration cannot work, or would train something else than
            its files say. The message lists all reasons, one per line.
    """
    hydra = HydraConfig.get()
    here = runs_here(hydra)
    problems = chain(
        composition_problems(cfg, choices, overrides, hydra.runtime.config_sources),
        setting_problems(cfg, here),
        part_problems(cfg, str(choices["task"]), here),
        *(one(cfg) for one in CHECKS),
    )
    if found := list(dict.fromkeys(problems)):
        raise ValueError("\n".join(found))


def runs_here(hydra: Any) -> bool:
    """Return whether a job runs on this machine, and not on one that its launcher will choose.

    Args:
        hydra: Hydra's part of the job's configuration. A job that runs has a number.
    """
    started = not OmegaConf.is_missing(hydra.job, "num")
    launcher = str(OmegaConf.select(hydra, "launcher._target_"))
    return started or hydra.mode != RunMode.MULTIRUN or launcher.endswith(LOCAL)
