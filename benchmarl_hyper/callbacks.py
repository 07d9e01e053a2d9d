"""BenchMARL callbacks."""

from __future__ import annotations

from typing import Any

from benchmarl.experiment import Callback
from benchmarl.experiment.logger import JsonWriter


class VariantLabelCallback(Callback):
    """Record results under ``<algorithm>_<variant>``.

    BenchMARL keys its results by algorithm alone, so that two variants with one seed would
    overwrite each other when their files are merged.

    Args:
        variant: the label.
    """

    def __init__(self, variant: str):
        super().__init__()
        self.variant = variant

    def on_setup(self) -> None:
        """Replace the experiment's JSON writer by one with the label."""
        run = self.experiment
        if run.config.create_json:
            run.logger.json_writer = JsonWriter(
                folder=run.folder_name,
                name=f"{run.name}.json",
                algorithm_name=f"{run.algorithm_name}_{self.variant}",
                task_name=run.task_name,
                environment_name=run.environment_name,
                seed=run.seed,
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "experiment": None}  # BenchMARL pickles us, and sets it anew
