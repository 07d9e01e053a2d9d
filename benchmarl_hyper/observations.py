"""Record observations of finished runs, on which the diversity of others can be compared.

``python -m benchmarl_hyper.observations FILE CHECKPOINT [CHECKPOINT ...]`` lets the policies of the
checkpoints act, once more as in their evaluation, and keeps what agents saw. Mix runs that behave
differently: a fixed set favours those who collected it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarl_hyper.diagnostics.observations import record


def main(arguments: Sequence[str]) -> None:
    """Record and write."""
    if len(arguments) < 2:
        raise SystemExit("usage: python -m benchmarl_hyper.observations FILE CHECKPOINT [...]")
    file, *checkpoints = map(Path, arguments)
    steps = record(checkpoints)
    torch.save(steps.to_dict(), file)
    print(f"{len(steps)} steps of {', '.join(steps.keys())} in {file}")


if __name__ == "__main__":
    main(sys.argv[1:])
