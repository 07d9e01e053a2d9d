"""Export policies on the command line: ``python -m benchmarl_hyper.export CHECKPOINT DIR``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarl_hyper.export.packages import PACKAGES, missing_packages
from benchmarl_hyper.running.trust import TRUST_HELP


def main(arguments: Sequence[str] | None = None) -> None:
    """Export the policies of a checkpoint, and print which files were written."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.export", description="Extract policies from a run."
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a run's checkpoint_<frames>.pt")
    parser.add_argument("folder", metavar="DIR", help="a new or empty folder for the files")
    parser.add_argument(
        "--format",
        action="append",
        dest="formats",
        metavar="NAME",
        help=f"one of {', '.join(PACKAGES)}; repeat the option for more than one format (default: "
        "all formats whose packages are installed)",
    )
    parser.add_argument("--trust", action="store_true", help=TRUST_HELP)
    _export(parser.parse_args(arguments))


def _export(options: argparse.Namespace) -> None:
    # After the words were understood, since torch and BenchMARL take seconds
    from benchmarl_hyper.export.policies import export

    try:
        files = export(**vars(options))
    except (OSError, ValueError, ImportError) as error:
        raise SystemExit(f"error: {error}") from error
    for file in files:
        print(file)
    skipped = [name for name in PACKAGES if options.formats is None and missing_packages(name)]
    if skipped:
        print(
            f"skipped {', '.join(skipped)}, because packages are missing; run: "
            "pip install 'benchmarl-hyper[export]'"
        )


if __name__ == "__main__":
    main()
