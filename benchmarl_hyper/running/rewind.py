"""Back to a checkpoint: remove from the files of a run what came after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from benchmarl_hyper.run_files import DIAGNOSTICS, write_whole


def rewind(experiment: Path, checkpoint: Path) -> None:
    """Remove from results, scalars and diagnostics what came after a checkpoint."""
    done = torch.load(checkpoint, map_location="cpu", mmap=True)["state"]
    frames, iterations = done["total_frames"], done["n_iters_performed"]
    results = experiment / f"{experiment.name}.json"
    if results.is_file():
        write_whole(
            results, json.dumps(_until(json.loads(results.read_text(encoding="utf-8")), frames))
        )
    for file in experiment.glob("*/scalars/*.csv"):
        _keep(file, lambda line: int(line.partition(",")[0]) < iterations)
    if (experiment / DIAGNOSTICS).is_file():
        _keep(experiment / DIAGNOSTICS, lambda line: json.loads(line)["frames"] <= frames)


def _until(results: Any, frames: int) -> Any:
    """Return results without evaluations after ``frames``, and without an absolute metric."""
    if not isinstance(results, dict):
        return results
    return {
        key: {} if key == "absolute_metrics" else _until(value, frames)
        for key, value in results.items()
        if not (isinstance(value, dict) and value.get("step_count", 0) > frames)
    }


def _keep(file: Path, wanted: Any) -> None:
    whole = (
        line for line in file.read_text(encoding="utf-8").splitlines(True) if line.endswith("\n")
    )
    write_whole(file, "".join(line for line in whole if wanted(line)))
