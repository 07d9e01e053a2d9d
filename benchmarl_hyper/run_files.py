"""What the files of a run are called, how they are written, and how settings are compared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# In the folder of a sweep
PLAN = "plan.json"
# In the folder of a run
RECORD, CONFIG, LOCK, ATTEMPTS = "run.json", "config.yaml", ".lock", "attempts"
# In BenchMARL's folder of the experiment, inside the folder of the run
DIAGNOSTICS = "diagnostics.jsonl"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees either the old text or the new one, never a part."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    os.replace(part, path)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by dotted key, for example ``{"model.num_cells": [64, 64]}``."""
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{name}.")
        else:
            values[f"{prefix}{name}"] = value
    return values
