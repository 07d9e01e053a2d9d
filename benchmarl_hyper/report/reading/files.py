"""Readers of single files that anybody may have written: bounded, and never through links."""

from __future__ import annotations

import json
import reprlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 64 * 2**20
MOST_SETTINGS = 2**20
DEEPEST = 50
# The loader and the parser written in C take a tenth of the time
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# No nesting deeper than what the loader can bear has less of these characters than this
OPENERS, SHALLOW = "[{-?", 1_000


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Read a file.

    Args:
        path: the path of the file.
        most: the largest number of bytes to read.

    Raises:
        ValueError: if the path is a link or no file, or if the file has more bytes.
    """
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        raise ValueError(
            f"{path.name} is a link, which a report does not follow; put the file there"
        )
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError(f"{path.name} is not a file")
    if facts.st_size > most:
        raise ValueError(f"{path.name} has {facts.st_size:,} bytes, need at most {most:,}")
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: if it is not JSON, is nested too deeply, or if ``read_bytes`` refuses it.
    """
    content = read_bytes(path)
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON, maybe half-written ({error})") from error


def read_settings(path: Path) -> Mapping[str, Any]:
    """Read a YAML file of settings; empty if there is no such file.

    Raises:
        ValueError: if it is not a mapping in YAML, has aliases, is nested too deeply, or if
            ``read_bytes`` refuses it.
    """
    if not path.is_symlink() and not path.exists():
        return {}
    content = read_bytes(path, MOST_SETTINGS)
    try:
        text = content.decode("utf-8")
        _refuse_bombs(text, path.name)
        settings = plain(yaml.load(text, Loader=LOADER))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be used: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path.name} holds {reprlib.repr(settings)}, need a mapping of settings")
    return settings


def _refuse_bombs(text: str, name: str) -> None:
    """Refuse what expands when it is used, or fills the stack of the loader."""
    if "*" not in text and sum(map(text.count, OPENERS)) < SHALLOW:
        return
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"it has an alias, *{event.anchor}; write the value out")
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")


def plain(value: Any, depth: int = 0) -> Any:
    """Return YAML's values as JSON's: keys become text, and so do dates and bytes.

    Raises:
        ValueError: if values are nested too deeply, or if a whole number has more than 64 bits.
    """
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        return {str(plain(key, depth + 1)): plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(one, depth + 1) for one in value]
    if isinstance(value, int) and abs(value) >= 2**64:
        raise ValueError(f"it has a number of {value.bit_length()} bits, need at most 64")
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
