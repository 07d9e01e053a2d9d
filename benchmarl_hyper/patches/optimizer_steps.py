"""Let a loss ask for several optimiser steps where BenchMARL takes one.

HAPPO's agents learn one after the other on the same batch, each for as many steps as the settings
say. BenchMARL reads the number of steps from the settings alone. So ``Experiment._optimizer_loop``,
which takes one step, is wrapped. Delete this module on the day that an algorithm or a loss can say
how many steps a batch gets.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from benchmarl.experiment import Experiment
from tensordict import TensorDictBase

from benchmarl_hyper.patches.wrapping import wrap_once


def wrap_optimizer_steps() -> None:
    """Wrap BenchMARL's optimiser step; a second call has no effect.

    A loss that has no ``steps_per_call`` still gets one step.
    """
    wrap_once(Experiment, "_optimizer_loop", _repeated)


def _repeated(method: Callable[[Experiment, str], TensorDictBase]) -> Callable:
    def _optimizer_loop(self: Experiment, group: str) -> TensorDictBase:
        n_steps = getattr(self.losses[group], "steps_per_call", 1)
        if n_steps == 1:
            return method(self, group)
        return torch.stack([method(self, group) for _ in range(n_steps)])

    return _optimizer_loop
