"""The command line of reports."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of runs and write the report.

    Args:
        arguments: the words of the command line; None for those of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.report",
        description="Compare finished runs, ours and BenchMARL's: one HTML file, and its figures "
        "and tables. Reports read JSON and YAML, and never checkpoints or other code.",
    )
    parser.add_argument(
        "folders", metavar="DIR", nargs="+", type=Path, help="a folder of runs, or an archive"
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
    parser.add_argument(
        "--archive",
        metavar="FILE",
        type=Path,
        help="write the runs into one compact file, too, which reports can read: FILE.npz",
    )
    parser.add_argument(
        "--show-places",
        action="store_true",
        help="show absolute paths and names of hosts, which reports leave out otherwise",
    )
    _report(parser.parse_args(arguments))


def _report(options: argparse.Namespace) -> None:
    # After the words were understood, since matplotlib and scipy take a second
    from benchmarl_hyper.report.output.compact import write_compact
    from benchmarl_hyper.report.page import Options, write_results
    from benchmarl_hyper.report.reading.results import read
    from benchmarl_hyper.report.sections.summary import summary_of

    # A terminal that cannot show a character of a label shows its number
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        results = read(options.folders)
        print(summary_of(results))
        if options.archive is not None:
            write_compact(results.runs, options.archive)
        asked = Options(options.bounds, options.baseline, options.show_places)
        print(f"\nReport: {write_results(results, options.folders, options.out, asked)}")
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
