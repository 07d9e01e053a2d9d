"""Modules of users that register tasks, models or algorithms: every process imports them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

GROUP = "benchmarl_hyper.plugins"  # of the entry points of installed packages


def import_plugins(modules: Any) -> None:
    """Import modules; each registers what it brings.

    A module may be in the current folder.

    Args:
        modules: the value of ``plugins``: a list of names, for example ``["my_project.tasks"]``.

    Raises:
        ValueError: if the value is no list of names, or if a module cannot be imported.
    """
    names = [] if modules is None else modules
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    if not listed or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"plugins={modules}: must be a list, for example plugins=[my_project.tasks]"
        )
    here = str(Path.cwd())
    if names and not {here, ""} & set(sys.path):
        sys.path.append(here)
    for name in names:
        try:
            import_module(name)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(
                f"plugins: module '{name}' cannot be imported ({reason}); name it as in Python's "
                "import, for example my_project.tasks, and start the command in the folder that "
                "holds my_project, or install the package"
            ) from error


def import_installed_plugins() -> None:
    """Import the modules that installed packages name as entry points of ``GROUP``.

    A module that cannot be imported is passed over with a warning, because every use of this
    package comes by here.
    """
    for entry in entry_points(group=GROUP):
        try:
            import_module(entry.module)
        except Exception as error:
            warnings.warn(
                f"plugin {entry.value} of an installed package cannot be imported: {error}",
                stacklevel=2,
            )


def plugins_in(overrides: Sequence[Any]) -> Any:
    """Return the value of ``plugins`` among parsed overrides; an empty list if there is none."""
    values = [each.value() for each in overrides if each.key_or_group == "plugins"]
    return values[-1] if values else []
