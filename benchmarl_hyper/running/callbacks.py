"""Base classes of the callbacks of a run."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmarl.experiment import Callback


class RunCallback(Callback):
    """A callback that BenchMARL can pickle with the settings of a run, in ``config.pkl``.

    A reloaded experiment attaches itself to its callbacks and calls their ``on_setup`` again.

    Attributes:
        not_pickled: attributes that belong to one experiment, with the values that they have in a
            pickle.
    """

    not_pickled: ClassVar[dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "experiment": None, **self.not_pickled}


class EndCallback(RunCallback):
    """A callback that is also called when training has reached its last frame."""

    def on_training_end(self) -> None:
        """Hook that is called once, after the last evaluation, with environments still open."""
