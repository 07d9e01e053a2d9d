"""Close what a run has opened: environments, and the files and writers of its loggers."""

from __future__ import annotations

import contextlib
from typing import Any


def close_loggers(run: Any) -> None:
    """Close the files and writers of an experiment's loggers, which BenchMARL leaves open.

    A logger of CSV files that logs again opens its files again, and appends.
    """
    for logger in run.logger.loggers:
        files = getattr(logger.experiment, "files", None)
        if isinstance(files, dict):
            for file in files.values():
                file.close()
            files.clear()
        elif hasattr(logger.experiment, "close"):
            logger.experiment.close()


def close_parts(run: Any) -> None:
    """Close what an experiment has opened whose construction failed; errors are ignored."""
    steps = (
        lambda: run.collector.shutdown(),
        lambda: run.rollout_env.close(),
        lambda: run.test_env.close(),
        lambda: run.logger.finish(),
        lambda: close_loggers(run),
    )
    for step in steps:
        with contextlib.suppress(Exception):  # parts that were not reached yet do not exist
            step()
