"""Every global change to BenchMARL and torchrl, and the one function that makes them.

Each module changes one class at run time, since there is no public way, and says what to delete on
the day that upstream offers one. A test of each fails on that day.
"""

from __future__ import annotations

from benchmarl_hyper.patches.ensemble_initialisation import wrap_ensembles
from benchmarl_hyper.patches.optimizer_steps import wrap_optimizer_steps
from benchmarl_hyper.patches.rollouts import wrap_rollouts


def install() -> None:
    """Make all changes, once; calling it again does no harm."""
    wrap_ensembles()
    wrap_optimizer_steps()
    wrap_rollouts()
