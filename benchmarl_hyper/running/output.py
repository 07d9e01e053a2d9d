"""What a run prints: to ``log.txt`` in its folder, and to the terminal what a user can act on."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from benchmarl_hyper.run_files import LOG
from benchmarl_hyper.running.bars import run_bars

# Warnings of other packages about which a user can do nothing: the beginning of the message, as a
# regular expression, and the module that has it
KNOWN = {
    "No episode terminated this iteration": "benchmarl.experiment.logger",
    "SyncDataCollector.* has been deprecated and will be removed in": "torchrl.collectors._base",
    "Creating .* which inherits from WeightUpdaterBase": "torchrl.collectors.weight_update",
    "The default behavior of TransformedEnv will change": "torchrl.envs.transforms.transforms",
    "size_average and reduce args will be deprecated": "torch.nn._reduction",
}


class Log(io.TextIOBase):
    """A stream that appends to the logs of run folders, and hands on to another stream.

    A file is opened for every text and not before, because a run that starts again moves what is
    in its folder.

    Args:
        folders: the run folders.
        stream: the stream that gets the same texts; None for none.
    """

    def __init__(self, folders: Sequence[Path], stream: TextIO | None = None):
        self.folders, self.stream = folders, stream

    def write(self, text: str) -> int:
        """Write a text; a log that cannot be written does not end a run."""
        for folder in self.folders:
            with contextlib.suppress(OSError), open(folder / LOG, "a", encoding="utf-8") as file:
                file.write(text)
        if self.stream is not None:
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the other stream."""
        if self.stream is not None:
            self.stream.flush()

    def isatty(self) -> bool:
        """Return whether the other stream is a terminal."""
        return self.stream is not None and self.stream.isatty()


@contextmanager
def logged(folders: Sequence[Path], alone: bool) -> Iterator[None]:
    """Log what the block prints, and keep what only clutters away from the terminal.

    A run on its own also prints to the terminal, and has a bar. In a sweep, the terminal gets what
    is written to the standard error stream, for example warnings. Known warnings of other packages
    that a user cannot act on are ignored, and so is what torchrl logs below a warning.

    Args:
        folders: the run folders.
        alone: whether the runs are on their own, rather than part of a sweep.
    """
    out, error = sys.stdout, sys.stderr
    with (
        run_bars(error, shown=alone),
        contextlib.redirect_stdout(Log(folders, out if alone else None)),
        contextlib.redirect_stderr(Log(folders, error)),
        without_known_warnings(),
        _at_level(logging.getLogger("torchrl"), logging.WARNING),
    ):
        yield


@contextmanager
def without_known_warnings() -> Iterator[None]:
    """Ignore the warnings of other packages about which a user can do nothing."""
    with warnings.catch_warnings():
        for message in KNOWN:
            warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def _at_level(logger: logging.Logger, level: int) -> Iterator[None]:
    before = logger.level
    logger.setLevel(max(level, before))
    try:
        yield
    finally:
        logger.setLevel(before)
