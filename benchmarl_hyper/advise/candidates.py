"""What each candidate's runs are: their configuration, folders and commands."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from benchmarl_hyper.advise.request import Request
from benchmarl_hyper.running.checks.command_line import prepare
from benchmarl_hyper.running.job import Job
from benchmarl_hyper.running.planning import composed_jobs, refuse_other_settings

SEVERAL = [0, 1]  # seeds, to ask whether several can be trained at once


@dataclass(frozen=True)
class Candidate:
    """A variant and its runs.

    Attributes:
        name: the variant.
        overrides: all overrides of its runs, except for the seed.
        words: the words in front of them.
        cfg: its composed configuration, with Hydra's part.
        at_once: whether its seeds can be trained at once.
    """

    name: str
    overrides: tuple[str, ...]
    words: tuple[str, ...]
    cfg: DictConfig
    at_once: bool

    def job(self, seed: int) -> Job:
        """Return the run of a seed."""
        (one,) = composed_jobs(self.cfg, [(seed, [*self.overrides, f"seed={seed}"])])
        return one

    def folder(self) -> Path:
        """Return the folder of all runs."""
        return Path(self.cfg.hydra.sweep.dir)

    def commands(self, seeds: Sequence[int]) -> list[list[str]]:
        """Return the commands that train seeds, which may run side by side."""
        groups = [list(seeds)] if self.at_once and len(seeds) > 1 else [[seed] for seed in seeds]
        return [self.command(f"seed={group if len(group) > 1 else group[0]}") for group in groups]

    def command(self, *more: str) -> list[str]:
        """Return a command of the runner, with more overrides."""
        seeds = [word.replace(" ", "") for word in more]
        return [
            *(sys.executable, "-m", "benchmarl_hyper.run"),
            *(*self.words, *self.overrides, *seeds),
        ]


def candidate(request: Request, name: str, settings: Mapping[str, Any]) -> Candidate:
    """Return a candidate, with its configuration checked.

    Args:
        request: what the user asks for.
        name: the variant.
        settings: more settings for the runs, by dotted key; the user's own take precedence.

    Raises:
        ValueError: if the configuration cannot work.
    """
    typed = {word.lstrip("+").partition("=")[0] for word in request.overrides}
    chosen = {"name": "advise", "callbacks": "[snd]", **settings}
    added = [f"{key}={value}" for key, value in chosen.items() if key not in typed]
    overrides = (*request.overrides, *added, f"variant={name}")
    words: tuple[str, ...] = ()
    search: list[str] = []
    if request.config_dir:
        words = ("--config-dir", str(request.config_dir))
        search = [f"hydra.searchpath=[file://{request.config_dir.absolute()}]"]
    prepare([*words, *overrides])
    try:
        with initialize_config_module("benchmarl_hyper.conf", version_base=None):
            cfg = compose("run", [*overrides, *search], return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(f"{name}: {error}") from error
    one = Candidate(name, overrides, words, cfg, False)
    one.job(0)
    return replace(one, at_once=_at_once(one))


def _at_once(one: Candidate) -> bool:
    try:
        list(composed_jobs(one.cfg, [(SEVERAL, [*one.overrides, f"seed={SEVERAL}"])]))
    except ValueError:
        return False
    return True


def refuse_other_runs(every: Sequence[Candidate]) -> None:
    """Raise a ``ValueError`` if the folder holds a run with other settings."""
    for one in every:
        try:
            refuse_other_settings([one.job(0)])
        except ValueError as error:
            reason = str(error).partition(":\n")[0]
            raise ValueError(
                f"{reason}. Choose another folder for these runs, for example name={one.cfg.name}_2"
            ) from error
