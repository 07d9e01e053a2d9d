"""Lines that say what is going on: one that changes in a terminal, plain ones elsewhere."""

from __future__ import annotations

import sys


class Progress:
    """Shows lines on the standard output."""

    def __init__(self) -> None:
        self.passing, self.doing = 0, ""  # characters of the line to replace; the last thing told

    def say(self, text: str, *, passing: bool = False) -> None:
        """Show a line.

        Args:
            text: the line.
            passing: whether the next line replaces it. Where output is no terminal, only what is in
                front of its last colon is shown, once.
        """
        if sys.stdout.isatty():
            print(f"\r{text:<{self.passing}}", end="" if passing else "\n", flush=True)
            self.passing = len(text) if passing else 0
            return
        doing = text.rpartition(":")[0] if passing else text
        if doing != self.doing:
            print(doing, flush=True)
            self.doing = doing

    def end(self) -> None:
        """Leave the line that would be replaced."""
        if self.passing:
            print()
            self.passing = 0
