"""Draw episodes on the command line: ``python -m benchmarl_hyper.replay CHECKPOINT out.gif``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarl_hyper.running.trust import TRUST_HELP


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw an episode per checkpoint, and print which file was written."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarl_hyper.replay",
        description="Draw one evaluation episode of each checkpoint, side by side, from the same "
        "initial state.",
    )
    parser.add_argument(
        "checkpoints",
        metavar="CHECKPOINT",
        type=Path,
        nargs="+",
        help="a run's checkpoint_<frames>.pt; several must be of one task",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a new .gif or .webp")
    parser.add_argument(
        "--titles",
        metavar="A,B",
        help="a title per checkpoint, with commas between (default: the runs' labels)",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", default=0, help="seed of the episode (default: 0)"
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="at most so many steps (default: all)"
    )
    parser.add_argument(
        "--fps",
        type=float,
        metavar="X",
        help="pictures per second (default: so that it takes about 5 seconds)",
    )
    parser.add_argument(
        "--width",
        type=int,
        metavar="N",
        default=300,
        help="width of an episode in pixels (default: 300)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE, whatever it is")
    parser.add_argument("--trust", action="store_true", help=TRUST_HELP)
    _replay(parser.parse_args(arguments))


def _replay(options: argparse.Namespace) -> None:
    # After the words were understood, since torch and BenchMARL take seconds
    from benchmarl_hyper.replay.film import replay

    values = vars(options)
    values["titles"] = options.titles.split(",") if options.titles is not None else None
    try:
        replay(**values)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise SystemExit(f"error: {error}") from error
    print(options.file)


if __name__ == "__main__":
    main()
