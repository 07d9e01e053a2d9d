"""List the tasks: ``python -m benchmarl_hyper.tasks [FAMILY ...]``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarl_hyper.tasks.listing import EXTRAS, ROWS, Row, family, installed
from benchmarl_hyper.terminal import nearest, table

HEADER = ["task", "agents", "observation", "actions", "steps", "extra", "installed"]


def cells(row: Row) -> list[str]:
    """Return a task's row of the table."""
    extra, modules = EXTRAS.get(family(row), ("-", ()))
    return [*map(str, row), extra, "yes" if installed(modules) else "no"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of tasks.

    Args:
        arguments: names of the families to list, empty for all; None for the words of this
            process's command line.

    Raises:
        SystemExit: if a family is unknown; the message lists the known ones.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.tasks", description="List the paper's tasks."
    )
    known = list(dict.fromkeys(map(family, ROWS)))
    parser.add_argument(
        "families", metavar="FAMILY", nargs="*", help=f"one of {', '.join(known)}; all by default"
    )
    chosen = parser.parse_args(arguments).families or known
    if unknown := set(chosen) - set(known):
        name = min(unknown)
        raise SystemExit(
            f"unknown family {name}{nearest(name, known)}; the known families are "
            f"{', '.join(known)}"
        )
    print(table([HEADER, *(cells(row) for row in ROWS if family(row) in chosen)]))


if __name__ == "__main__":
    main()
