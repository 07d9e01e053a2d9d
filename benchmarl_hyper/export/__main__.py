"""Command line of the export: ``python -m benchmarl_hyper.export CHECKPOINT DIR``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarl_hyper.export.formats import WRITERS, missing_packages
from benchmarl_hyper.export.policies import export


def main(arguments: Sequence[str] | None = None) -> None:
    """Export, and say what was written."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.export", description="Take policies out of a run."
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="checkpoint_<frames>.pt of a run")
    parser.add_argument("folder", metavar="DIR", help="a new folder")
    parser.add_argument(
        "--format",
        action="append",
        dest="formats",
        metavar="NAME",
        help=f"one of {', '.join(WRITERS)}, again for more; by default all that are installed",
    )
    options = parser.parse_args(arguments)
    try:
        files = export(**vars(options))
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    for file in files:
        print(file)
    skipped = [name for name in WRITERS if options.formats is None and missing_packages(name)]
    if skipped:
        print(f"without {', '.join(skipped)}: pip install 'benchmarl-hyper[export]'")


if __name__ == "__main__":
    main()
