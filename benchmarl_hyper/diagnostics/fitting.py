"""What happens where a diagnostic does not fit: it passes over the group, and one line says so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarl_hyper.running.callbacks import RunCallback


class MisfitError(Exception):
    """Raised by a measure if the policy or loss at hand lacks what it needs; the message says what.

    Measures raise it only after a check of their own. Any other exception is a bug, and is not
    hidden.
    """


class DiagnosticCallback(RunCallback):
    """A callback that measures the groups that it fits, and passes over the others.

    Attributes:
        passed_over: groups that it does not fit. It does not try them again.
    """

    # On the class, since runs that older versions pickled have no such attribute.
    passed_over: frozenset[str] = frozenset()

    @contextmanager
    def fitting(self, group: str) -> Iterator[None]:
        """Pass over the group if the block raises :class:`MisfitError`, and log the reason once."""
        try:
            yield
        except MisfitError as reason:
            self.passed_over |= {group}
            self.say(f"passes over group '{group}'", str(reason))

    def say(self, what: str, reason: str) -> None:
        """Write one line to the log that names this callback and the algorithm."""
        name, algorithm = type(self).__name__, self.experiment.algorithm_name
        logging.getLogger(__name__).warning("%s %s of %s: %s", name, what, algorithm, reason)
