"""One line on the terminal that says how far a sweep is."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from benchmarl_hyper.running.progress import in_a_line, progress_of
from benchmarl_hyper.terminal import UpdatingLine, duration

SHARE = 0.05  # largest share of the time that reading run folders may take


class SweepLineCallback(Callback):
    """A Hydra callback that shows how far a sweep is, from its start to its end."""

    def __init__(self) -> None:
        self.line: SweepLine | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"line": None}  # launchers send callbacks to each of their processes

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Begin to show the line."""
        self.line = SweepLine(config.name, Path(config.hydra.sweep.dir))
        self.line.start()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Show the line for the last time."""
        if self.line is not None:
            self.line.stop()


class SweepLine(Thread):
    """A thread that reads the run folders of a sweep, and shows how far it is.

    Args:
        name: name of the sweep.
        folder: the folder of the sweep.
    """

    def __init__(self, name: str, folder: Path):
        super().__init__(daemon=True)
        self.sweep, self.folder = name, folder
        self.line, self.ended = UpdatingLine(), Event()
        self.began = time.monotonic()

    def run(self) -> None:
        """Show the line until the sweep has ended."""
        pause = 1.0
        while not self.ended.wait(pause):
            start = time.monotonic()
            self.line.show(in_a_line(self.sweep, progress_of(self.folder, planned_alone=True)))
            pause = max(1, (time.monotonic() - start) / SHARE)

    def stop(self) -> None:
        """End the thread, and show the line for the last time."""
        self.ended.set()
        self.join()
        line = in_a_line(self.sweep, progress_of(self.folder, planned_alone=True))
        self.line.end(f"{line}, in {duration(time.monotonic() - self.began)}")
