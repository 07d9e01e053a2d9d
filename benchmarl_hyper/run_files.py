"""Names of the files and folders of a run, how they are written, and settings by dotted key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from os import open as open_descriptor
from pathlib import Path
from typing import Any

# In the folder of a sweep
PLAN = "plan.json"
# In the run folder
RECORD, CONFIG, LOCK, ATTEMPTS = "run.json", "config.yaml", ".lock", "attempts"
LOG = "log.txt"  # what the run printed, warnings too
# In BenchMARL's folder of the experiment, inside the run folder
DIAGNOSTICS, PICKLED, CHECKPOINTS = "diagnostics.jsonl", "config.pkl", "checkpoints"


def write_whole(path: Path, text: str) -> None:
    """Write a file as a whole: a reader sees the old text or the new one, never a part of it.

    This also holds after a power cut.
    """
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    sync(part)
    os.replace(part, path)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, from memory to the disk."""
    is_folder = path.is_dir()
    if is_folder and os.name == "nt":
        return
    descriptor = open_descriptor(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError:
        if not is_folder:  # some file systems cannot do this with folders
            raise
    finally:
        os.close(descriptor)


def folder_name(key: str, value: object) -> str:
    """Return a value as the name of a folder.

    Args:
        key: the setting that has the value.
        value: the name. Slashes become ``_``, since names of tasks and models have them.

    Raises:
        ValueError: if the name is empty, begins with a dot, is longer than 120 characters, or has
            characters besides letters, digits, spaces and ``_ - . , + = @ ( ) [ ]``.
    """
    name = str(value).replace("/", "_")
    if not re.fullmatch(r"(?!\.)[\w ,.+=@()\[\]-]{1,120}", name) or name != name.strip():
        raise ValueError(
            f"{key}={value!r} cannot name a folder; use 1 to 120 letters, digits, spaces or "
            "_ - . , + = @ ( ) [ ], and no dot or space at the beginning"
        )
    return name


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by dotted key, for example ``{"model.num_cells": [64, 64]}``."""
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{name}.")
        else:
            values[f"{prefix}{name}"] = value
    return values
