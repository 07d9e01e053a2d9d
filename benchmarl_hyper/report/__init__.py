"""Comparisons of finished runs, read from their files: ``python -m benchmarl_hyper.report DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from benchmarl_hyper.report.summaries import summary
from benchmarl_hyper.report.writing import write

__all__ = ["summary", "write"]


class SummaryCallback(Callback):
    """Hydra callback: print the table when a multirun has ended."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read the sweep's folder and print."""
        print(f"\n{summary([Path(config.hydra.sweep.dir)])}\n\nRuns: {config.hydra.sweep.dir}")
