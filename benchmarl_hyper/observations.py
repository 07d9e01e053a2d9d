"""Record observations of finished runs, on which the diversity of other runs can be compared.

``python -m benchmarl_hyper.observations FILE CHECKPOINT [CHECKPOINT ...]`` lets the policies of the
checkpoints act once more, without exploration, and writes what their agents see to a file. Mix runs
that behave differently: a fixed set of observations favours the runs that collected it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarl_hyper.diagnostics.observations import record


def main(arguments: Sequence[str]) -> None:
    """Record observations and write them to a file."""
    if len(arguments) < 2:
        raise SystemExit(
            "usage: python -m benchmarl_hyper.observations FILE CHECKPOINT [CHECKPOINT ...]"
        )
    file, *checkpoints = map(Path, arguments)
    steps = record(checkpoints)
    torch.save(steps.to_dict(), file)
    print(f"wrote {len(steps)} steps of {', '.join(steps.keys())} to {file}")


if __name__ == "__main__":
    main(sys.argv[1:])
