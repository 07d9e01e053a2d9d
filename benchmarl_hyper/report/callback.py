"""What a sweep does when it has ended: print the table of its runs and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from benchmarl_hyper.report.page import write_results
from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.report.sections.summary import sentences, summary_of

SENTENCES = 12  # at most, a sentence per task


class SummaryCallback(Callback):
    """Hydra callback that prints the table and writes the report when a multirun has ended."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report on the runs in the folder of the sweep.

        What goes wrong here is told in a line. The runs are done, and what they say about failures
        must not drown in the traceback of a report.
        """
        folder = Path(config.hydra.sweep.dir)
        try:
            results = read([folder])
            print(f"\n{summary_of(results)}\n")
            print("\n".join([*sentences(results)[:SENTENCES], f"Runs: {folder}"]))
            print(f"Report: {write_results(results, [folder])}")
        except Exception as error:
            print(f"\nNo report: {type(error).__name__}: {' '.join(str(error).split())}")
            print(f"To try again: python -m benchmarl_hyper.report {folder}")
