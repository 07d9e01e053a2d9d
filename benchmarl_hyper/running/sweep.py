"""A sweep as a whole: which runs it is made of, and how many of them have failed."""

from __future__ import annotations

import json
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
    """Hydra callback: write down what is planned, and say at the end what has failed."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Write the overrides of each job to ``plan.json``, for ``benchmarl_hyper.status``."""
        folder = Path(config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        parameters = config.hydra.sweeper.get("params") or {}
        arguments = [f"{key}={value}" for key, value in parameters.items()]
        typed = OmegaConf.to_container(config.hydra.overrides.task)  # interpolations as they are
        plan = jobs([*arguments, *cast(list, typed)])
        write_whole(folder / PLAN, json.dumps(plan, indent=1))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Raise ``SystemExit`` if a run of this plan has failed, or a record cannot be read."""
        folder = Path(config.hydra.sweep.dir)
        try:
            plan, found = read_plan(folder), records(folder)
        except FolderError as error:  # of which Hydra would make a warning
            raise SystemExit(f"error: {error}") from error
        states = {path: record["status"] for path, record in found.items() if planned(record, plan)}
        failed = [path for path, status in states.items() if status == "failed"]
        if failed:
            sys.stdout.flush()  # so that this comes last
            lines = [f"  {path}: {last_line(found[path].get('error'))}" for path in failed]
            raise SystemExit("\n".join([f"{len(failed)} of {len(plan)} runs failed:", *lines]))


def jobs(arguments: Sequence[str]) -> list[list[str]]:
    """The overrides of each job of Hydra's basic sweeper, sorted.

    Args:
        arguments: overrides, of which some may be sweeps such as ``seed=0,1``; of two for one key,
            the last one counts.
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
    """The jobs of a folder's latest sweep; none if there was none."""
    file = folder / PLAN
    return json.loads(file.read_text()) if file.is_file() else []


def records(folder: Path) -> dict[Path, dict[str, Any]]:
    """What the runs below a folder say of themselves, by the run's folder.

    Raises:
        FolderError: if a record is not JSON.
    """
    return {file.parent: RunFolder(file.parent).record() for file in sorted(folder.rglob(RECORD))}


def planned(record: dict[str, Any], plan: Sequence[Sequence[str]]) -> bool:
    """Whether a run is one of these jobs."""
    return sorted(record["overrides"]) in plan
