"""Back to a checkpoint: remove from the files of a run what came after it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarl_hyper.run_files import DIAGNOSTICS, sync, write_whole


def position(experiment: Path) -> dict[str, Any]:
    """Return where the files of a run end at a checkpoint, after bringing them to the disk.

    Args:
        experiment: BenchMARL's folder of the run.

    Returns:
        The text of the ``results`` (None if there are none), and the ``sizes`` in bytes of the
        files that grow line by line.
    """
    results = _results(experiment)
    sizes = {}
    for file in _growing(experiment):
        sync(file)
        sizes[file.relative_to(experiment).as_posix()] = file.stat().st_size
    text = results.read_text(encoding="utf-8") if results.is_file() else None
    return {"results": text, "sizes": sizes}


def rewind(experiment: Path, checkpoint: Path) -> None:
    """Remove from results, scalars and diagnostics what came after a checkpoint.

    If this is interrupted, it can be done again. A checkpoint of an earlier version does not say
    where the files ended; then frames and iterations decide what is kept.

    Args:
        experiment: BenchMARL's folder of the run.
        checkpoint: a good checkpoint of the run.
    """
    state = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    if "files" in state:
        _rewind_to(experiment, state["files"])
    else:
        _rewind_by_frames(experiment, state["state"])


def _results(experiment: Path) -> Path:
    return experiment / f"{experiment.name}.json"


def _growing(experiment: Path) -> Iterator[Path]:
    yield from sorted(experiment.glob("*/scalars/*.csv"))
    yield from experiment.glob(DIAGNOSTICS)


def _rewind_to(experiment: Path, then: Mapping[str, Any]) -> None:
    if then["results"] is not None:
        write_whole(_results(experiment), then["results"])
    for file in _growing(experiment):
        size = then["sizes"].get(file.relative_to(experiment).as_posix(), 0)
        missing = size - file.stat().st_size
        if missing > 0:
            print(f"{file}: {missing} bytes from before the checkpoint are missing")
        elif size:
            os.truncate(file, size)
        else:
            file.unlink()


def _rewind_by_frames(experiment: Path, done: Mapping[str, Any]) -> None:
    frames, iterations = done["total_frames"], done["n_iters_performed"]
    results = _results(experiment)
    if results.is_file():
        kept = _until(json.loads(results.read_text(encoding="utf-8")), frames)
        write_whole(results, json.dumps(kept))
    for file in experiment.glob("*/scalars/*.csv"):
        _keep(file, lambda line: int(line.partition(",")[0]) < iterations)
    for file in experiment.glob(DIAGNOSTICS):
        _keep(file, lambda line: json.loads(line)["frames"] <= frames)


def _until(results: Any, frames: int) -> Any:
    """Return results without evaluations after ``frames``, and without an absolute metric."""
    if not isinstance(results, dict):
        return results
    return {
        key: {} if key == "absolute_metrics" else _until(value, frames)
        for key, value in results.items()
        if not (isinstance(value, dict) and value.get("step_count", 0) > frames)
    }


def _keep(file: Path, wanted: Callable[[str], bool]) -> None:
    """Keep the wanted lines of a file; a line that is not whole or not readable is not kept."""

    def is_kept(line: str) -> bool:
        try:
            return line.endswith("\n") and wanted(line)
        except (ValueError, KeyError, TypeError):
            return False

    lines = file.read_text(encoding="utf-8", errors="replace").splitlines(True)
    write_whole(file, "".join(filter(is_kept, lines)))
