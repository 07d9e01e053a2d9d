"""The command line of reports."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarl_hyper.report import summary, write


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of runs and write the report.

    Args:
        arguments: the words of the command line; None for those of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.report",
        description="Compare finished runs, ours and BenchMARL's: one HTML file, and its figures "
        "and tables.",
    )
    parser.add_argument(
        "folders", metavar="DIR", nargs="+", type=Path, help="a folder of runs, or its tar archive"
    )
    parser.add_argument(
        "--out", type=Path, help="the folder to write; DIR/report if it is left out"
    )
    parser.add_argument(
        "--bounds",
        type=Path,
        help="a YAML file with the returns of each task that count as 0 and 1",
    )
    parser.add_argument(
        "--baseline", metavar="LABEL", help="the label to compare the others with, seed by seed"
    )
    options = parser.parse_args(arguments)
    try:
        print(summary(options.folders))
        page = write(options.folders, options.out, options.bounds, options.baseline)
        print(f"\nReport: {page}")
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
