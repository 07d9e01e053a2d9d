"""Record observations of finished runs, on which the diversity of other runs can be compared.

``python -m benchmarl_hyper.observations FILE CHECKPOINT [CHECKPOINT ...]`` lets the policies of the
checkpoints act once more, without exploration, and writes what their agents see to a file. Mix runs
that behave differently: a fixed set of observations favours the runs that collected it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarl_hyper.running.trust import TRUST_HELP


def main(arguments: Sequence[str] | None = None) -> None:
    """Record observations and write them to a file."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.observations",
        description="Record what agents see in finished runs of one task, for snd_observations.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a new file for the observations")
    parser.add_argument(
        "checkpoints",
        metavar="CHECKPOINT",
        type=Path,
        nargs="+",
        help="a run's checkpoint_<frames>.pt",
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE, whatever it is")
    parser.add_argument("--trust", action="store_true", help=TRUST_HELP)
    _record(parser.parse_args(arguments))


def _record(options: argparse.Namespace) -> None:
    # After the words were understood, since torch and BenchMARL take seconds
    from benchmarl_hyper.diagnostics.observations import record, save

    try:
        _check_file(options.file, options.force)
        steps = record(options.checkpoints, trust=options.trust)
        save(steps, options.file)
    except (OSError, ValueError, ImportError) as error:
        raise SystemExit(f"error: {error}") from error
    plural = "" if len(steps) == 1 else "s"
    print(f"wrote {len(steps)} step{plural} of {', '.join(steps.keys())} to {options.file}")


def _check_file(file: Path, force: bool) -> None:
    """Raise an error, before any work is done, if a file cannot or should not be written."""
    from benchmarl_hyper.diagnostics.observations import is_recorded

    if not file.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {file.parent}; make it, or name another file")
    if file.is_dir():
        raise FileExistsError(f"{file} is a folder; name a new file first, then the checkpoints")
    if file.exists() and not force:
        what = "has observations already" if is_recorded(file) else "is no file of observations"
        raise FileExistsError(
            f"{file} {what}, and is not overwritten; name a new file first, then the checkpoints "
            "(--force overwrites whatever there is)"
        )


if __name__ == "__main__":
    main()
