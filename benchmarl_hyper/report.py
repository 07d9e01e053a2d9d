"""Tables of finished runs, read from their files: ``python -m benchmarl_hyper.report DIR``."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from benchmarl_hyper.stats import MIN_SEEDS, mean_interval
from benchmarl_hyper.tables import table


class Run(NamedTuple):
    """One run's labels and the mean return of its last evaluation."""

    task: str
    label: str
    seed: str
    final_return: float


def read_runs(folder: Path) -> Iterator[Run]:
    """All runs below a folder, from the JSON files that BenchMARL writes.

    Args:
        folder: a run's, a sweep's, or one above them. JSON files of other kinds are passed over.

    Raises:
        ValueError: for a file that is not JSON, by name.
    """
    for path in sorted(folder.rglob("*.json")):
        try:
            results = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path} is not JSON ({error}); it may be half-written: move it away, or wait for "
                "its run to end"
            ) from error
        try:
            yield from _runs(results)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue


def _runs(results: dict[str, Any]) -> Iterator[Run]:
    for environment, tasks in results.items():
        for task, labels in tasks.items():
            for label, seeds in labels.items():
                for seed, steps in seeds.items():
                    last = max(
                        (step for key, step in steps.items() if key.startswith("step_")),
                        key=lambda step: step["step_count"],
                    )
                    mean = sum(last["return"]) / len(last["return"])
                    yield Run(f"{environment}/{task}", label, seed, mean)


def summary(folder: Path) -> str:
    """A table with a line per task and label: seeds, mean final return, 95% interval, range.

    Raises:
        ValueError: if there is no finished evaluation below the folder.
    """
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in read_runs(folder):
        scores[run.task, run.label].append(run.final_return)
    if not scores:
        raise ValueError(f"no results in {folder}; it should hold runs with create_json: True")
    rows = [["task", "algorithm_variant", "seeds", "final return", "95% interval", "range"]]
    rows += [[*names, *_cells(values)] for names, values in sorted(scores.items())]
    note = f"Final return: last evaluation, mean over seeds. No interval below {MIN_SEEDS} seeds."
    return f"{table(rows)}\n\n{note}"


def _cells(scores: Sequence[float]) -> list[str]:
    interval = mean_interval(scores)
    return [
        str(len(scores)),
        f"{sum(scores) / len(scores):.3f}",
        "-" if interval is None else "{:.3f} .. {:.3f}".format(*interval),
        f"{min(scores):.3f} .. {max(scores):.3f}",
    ]


class SummaryCallback(Callback):
    """Hydra callback: print the table when a multirun has ended."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read the sweep's folder and print."""
        print(f"\n{summary(Path(config.hydra.sweep.dir))}\n\nRuns: {config.hydra.sweep.dir}")


def main(folders: Sequence[str]) -> None:
    """Print a table per folder."""
    if not folders:
        raise SystemExit("usage: python -m benchmarl_hyper.report DIR [DIR ...]")
    for folder in folders:
        print(summary(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
