"""The YAML files that we ship, in ``conf/``, which is the package ``benchmarl_hyper.conf``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import benchmarl_hyper.conf

CONF = Path(benchmarl_hyper.conf.__file__).parent


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the values of a YAML file, without the defaults list, which is for Hydra."""
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    values.pop("defaults", None)
    return values
