"""List the variants: ``benchmarl-hyper variants``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.registry import CONFIGS
from benchmarl_hyper.tasks.listing import installed
from benchmarl_hyper.terminal import table

# The extra of this package that a method needs, and the modules that the extra installs
EXTRAS = {"seps": ("seps", ("sklearn",))}


def rows() -> Iterator[list[str]]:
    """Yield a row for every variant that this package ships."""
    meanings = {c.model_name(): c.associated_class().__doc__ or "" for c in CONFIGS}
    for file in sorted((CONF / "variant").glob("*.yaml")):
        what = meanings.get(file.stem, "").partition("\n")[0] or _comment(file)
        extra, modules = EXTRAS.get(file.stem, ("-", ()))
        here = "yes" if installed(modules) else "no"
        yield [file.stem, what.rstrip(".").replace("``", "`"), extra, here]


def _comment(file: Path) -> str:
    """Return the comment in front of the settings, behind the line that names the package."""
    lines = file.read_text(encoding="utf-8").splitlines()[1:]
    return " ".join(line[2:] for line in takewhile(lambda line: line.startswith("# "), lines))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of variants.

    Args:
        arguments: none are known but ``--help``; None for the words of this process's command line.
    """
    parser = argparse.ArgumentParser(
        prog="benchmarl-hyper variants", description="List the ways of sharing: variant=NAME."
    )
    parser.parse_args(arguments)
    print(table([["variant", "what it is", "extra", "installed"], *rows()]))


if __name__ == "__main__":
    main()
