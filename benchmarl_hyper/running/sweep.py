"""A whole sweep: what it will do, checked before it starts, and whether all of it is there."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from glob import escape, glob
from pathlib import Path
from typing import Any

import yaml
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmarl_hyper.run_files import write_whole
from benchmarl_hyper.running.job import Job
from benchmarl_hyper.running.planning import (
    planned_jobs,
    refuse_other_settings,
    refuse_shared_folders,
)
from benchmarl_hyper.running.records import FolderError, records, state, write_plan
from benchmarl_hyper.running.redaction import redacted
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.terminal import last_line

SHOWN = 20  # missing runs that are listed


def ends_the_sweep(hook: Callable) -> Callable:
    """Make the errors of a Hydra callback end the process; Hydra would turn them into warnings."""

    @wraps(hook)
    def ending(*args: Any, **kwargs: Any) -> None:
        try:
            hook(*args, **kwargs)
        except (ValueError, OSError, HydraException, OmegaConfBaseException) as error:
            raise SystemExit(f"error: {error}") from error

    return ending


class SweepCallback(Callback):
    """A Hydra callback that checks a sweep before its first job, and counts at its end.

    The count follows the run folders of the planned jobs, whatever happened to the processes that
    should have filled them.
    """

    def __init__(self) -> None:
        self.jobs: list[Job] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"jobs": None}  # launchers send callbacks to each of their processes

    @ends_the_sweep
    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Compose all jobs, and write their run folders to ``plan.json``.

        Raises:
            SystemExit: if a job cannot be composed or cannot work, if two jobs share a run folder,
                or if a folder holds a run with other settings. Nothing has been written then.
        """
        self.jobs = planned_jobs(config)
        if self.jobs is not None:
            refuse_shared_folders(self.jobs)
            refuse_other_settings(self.jobs)
            write_plan(Path(config.hydra.sweep.dir), [job.path for job in self.jobs])

    @ends_the_sweep
    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Redact the settings that Hydra has written to ``multirun.yaml`` by now."""
        file = Path(config.hydra.sweep.dir, "multirun.yaml")
        if config.hydra.mode == RunMode.MULTIRUN and file.is_file():
            settings = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
            if settings != redacted(settings):
                write_whole(file, yaml.safe_dump(redacted(settings), sort_keys=False))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Leave the settings out of what a job returns.

        Hydra keeps that until the sweep ends, and submitit writes it to a file.
        """
        job_return.cfg = job_return.hydra_cfg = None
        job_return.overrides = redacted(list(job_return.overrides or ()))

    @ends_the_sweep
    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Raise ``SystemExit`` if a planned run is not there; the message says what is missing."""
        _remove_handed_settings(OmegaConf.select(config, "hydra.launcher.submitit_folder"))
        if self.jobs is None:  # another sweeper has chosen the jobs
            found = records(Path(config.hydra.sweep.dir))
            missing = [(path, _problem(path, r)) for path, r in found.items() if _problem(path, r)]
            n_runs = len(found)
        else:
            checked = [(job.path, _missing(job)) for job in self.jobs]
            missing = [(path, reason) for path, reason in checked if reason]
            n_runs = len(checked)
        if missing:
            sys.stdout.flush()  # so that this comes last
            raise SystemExit(_message(missing, n_runs))


def _remove_handed_settings(folder: str | None) -> None:
    """Remove the pickles in which submitit has handed settings to jobs that have ended by now."""
    pattern = re.sub("%[jtAa]", "*", escape(folder or ""))
    for result in glob(f"{pattern}/*_result.pkl") if folder else ():
        job = result.rsplit("_", 2)[0]  # <job>_<task>_result.pkl
        Path(f"{job}_submitted.pkl").unlink(missing_ok=True)


def _missing(job: Job) -> str:
    """Return why a job's run is not there; empty if it is."""
    folder = RunFolder(job.path)
    try:
        record = folder.record()
        if record.get("status") == "done":
            folder.refuse_other_settings(job.settings, busy=False)
    except FolderError as error:
        return str(error)
    if not record:
        return "nothing was recorded; its error is above"
    return _problem(job.path, record)


def _problem(path: Path, record: dict[str, Any]) -> str:
    """Return what keeps a run from being done; empty if it is done."""
    progress = f"{record.get('frames')} of {record.get('max_frames')} frames"
    reasons = {
        "done": "",
        "running": "another process is working on it",
        "interrupted": f"interrupted at {progress}",
    }
    return reasons.get(state(path, record), last_line(record.get("error")) or "failed")


def _message(missing: Sequence[tuple[Path, str]], n_runs: int) -> str:
    lines = [f"  {path}: {reason}" for path, reason in missing[:SHOWN]]
    if len(missing) > SHOWN:
        lines.append(f"  and {len(missing) - SHOWN} more")
    return "\n".join([f"{len(missing)} of {n_runs} runs are not done:", *lines])
