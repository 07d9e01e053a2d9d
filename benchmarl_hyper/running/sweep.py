"""A whole sweep: which runs it consists of, and how many of them have failed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from benchmarl_hyper.run_files import PLAN, RECORD, write_whole
from benchmarl_hyper.running.run_folder import FolderError, RunFolder
from benchmarl_hyper.terminal import last_line


class SweepCallback(Callback):
    """A Hydra callback that records what is planned, and reports at the end what has failed."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Write the overrides of each job to ``plan.json``, for ``benchmarl_hyper.status``."""
        folder = Path(config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        parameters = config.hydra.sweeper.get("params") or {}
        arguments = [f"{key}={value}" for key, value in parameters.items()]
        typed = OmegaConf.to_container(config.hydra.overrides.task)  # keeps interpolations
        plan = jobs([*arguments, *cast(list, typed)])
        write_whole(folder / PLAN, json.dumps(plan, indent=1))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Raise ``SystemExit`` if a run of this plan has failed, or if a record cannot be read."""
        folder = Path(config.hydra.sweep.dir)
        try:
            plan, found = read_plan(folder), records(folder)
        except FolderError as error:  # Hydra would turn it into a warning
            raise SystemExit(f"error: {error}") from error
        states = {path: record["status"] for path, record in found.items() if planned(record, plan)}
        failed = [path for path, status in states.items() if status == "failed"]
        if failed:
            sys.stdout.flush()  # so that this comes last
            lines = [f"  {path}: {last_line(found[path].get('error'))}" for path in failed]
            raise SystemExit("\n".join([f"{len(failed)} of {len(plan)} runs failed:", *lines]))


def jobs(arguments: Sequence[str]) -> list[list[str]]:
    """Return the sorted overrides of each job that Hydra's basic sweeper makes.

    Args:
        arguments: overrides, some of which may be sweeps such as ``seed=0,1``. If a key occurs
            twice, its last override counts.
    """
    choices: dict[str, list[str]] = {}
    for override in OverridesParser.create().parse_overrides(list(arguments)):
        key = override.get_key_element()
        values = (
            list(override.sweep_string_iterator())
            if override.is_sweep_override()
            else [override.get_value_element_as_str()]
        )
        choices[key] = [f"{key}={value}" for value in values]
    return [sorted(job) for job in product(*choices.values())]


def read_plan(folder: Path) -> list[list[str]]:
    """Return the jobs of a folder's latest sweep; empty if there was no sweep."""
    file = folder / PLAN
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def records(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the records of all runs below a folder, by run folder.

    Other processes may be working there: folders that they move meanwhile are passed over.

    Raises:
        FolderError: if a record is not JSON.
    """
    found = {}
    for path, names, files in os.walk(folder):
        names.sort()
        if RECORD in files:
            names.clear()  # there are no runs in a run folder
            found[Path(path)] = RunFolder(Path(path)).record()
    return found


def planned(record: dict[str, Any], plan: Sequence[Sequence[str]]) -> bool:
    """Return whether a run is one of the jobs of a plan."""
    return sorted(record["overrides"]) in plan
