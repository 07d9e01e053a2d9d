"""What the callbacks of a run have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmarl.experiment import Callback


class RunCallback(Callback):
    """A callback that BenchMARL can pickle beside a run, in ``config.pkl``.

    A reloaded experiment sets itself anew in its callbacks, and runs ``on_setup`` again.

    Attributes:
        not_pickled: attributes that belong to one experiment, with the values that they have in a
            pickle.
    """

    not_pickled: ClassVar[dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "experiment": None, **self.not_pickled}


class EndCallback(RunCallback):
    """A callback that is also told when training has reached its last frame."""

    def on_training_end(self) -> None:
        """Is called once, after the last evaluation, while environments are still open."""
