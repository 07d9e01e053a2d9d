"""Reports on finished runs, read from their files: ``python -m benchmarl_hyper.report DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from benchmarl_hyper.report.page import write
from benchmarl_hyper.report.sections.summary import summary

__all__ = ["summary", "write"]


class SummaryCallback(Callback):
    """Hydra callback that prints the table and writes the report when a multirun has ended."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report on the runs in the folder of the sweep."""
        folder = Path(config.hydra.sweep.dir)
        print(f"\n{summary([folder])}\n\nRuns: {folder}")
        print(f"Report: {write([folder])}")
