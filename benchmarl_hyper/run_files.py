"""Names of the files of a run, how they are written, and settings by dotted key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# In the folder of a sweep
PLAN = "plan.json"
# In the run folder
RECORD, CONFIG, LOCK, ATTEMPTS = "run.json", "config.yaml", ".lock", "attempts"
# In BenchMARL's folder of the experiment, inside the run folder
DIAGNOSTICS, PICKLED, CHECKPOINTS = "diagnostics.jsonl", "config.pkl", "checkpoints"


def write_whole(path: Path, text: str) -> None:
    """Write a file as a whole: a reader sees the old text or the new one, never a part of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
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
