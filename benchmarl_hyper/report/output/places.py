"""What a report tells of the machines on which it and its runs were made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarl_hyper.report.output.text import printable
from benchmarl_hyper.report.reading.run import Place

# A path from the root of a file system, or of a drive of Windows; not vmas/navigation or a URL
ABSOLUTE = re.compile(r"(?<![\w.:/\\~-])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\"`:;,()<>]+)+")
SECRET = re.compile(r"(^|[._-])((api_?key|secret|passw(or)?d|credential)s?|token)$", re.IGNORECASE)
REDACTED = "(not shown)"


@dataclass(frozen=True)
class Places:
    """Whether a report shows absolute paths and names of hosts. Secrets it never shows."""

    shown: bool = False

    def of(self, place: Place) -> str:
        """Return a place as the report shows it: from the given folder on, or absolute."""
        return printable(place.absolute if self.shown else place.short)

    def text(self, text: str) -> str:
        """Return text, with absolute paths cut to their last part: ``.../run.json``."""
        if not self.shown:
            text = ABSOLUTE.sub(lambda match: ".../" + re.split(r"[/\\]", match[0])[-1], text)
        return printable(text)

    def setting(self, key: str, value: str) -> str:
        """Return the value of a setting, unless its key says that it is a secret."""
        return REDACTED if SECRET.search(key) else self.text(value)

    def machine(self, facts: Mapping[str, Any]) -> dict[str, str]:
        """Return what is known of a machine."""
        return {
            key: self.text(str(value))
            for key, value in facts.items()
            if self.shown or key != "host"
        }
