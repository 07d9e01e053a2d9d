"""Every global change to BenchMARL and torchrl, and the one function that makes them.

Upstream offers no public way to make these changes, so each module changes classes at run time.
Its docstring says on which day it can be deleted, and a test fails on that day.
"""

from __future__ import annotations

from benchmarl_hyper.patches.ensemble_initialisation import wrap_ensembles
from benchmarl_hyper.patches.logged_settings import wrap_logged_settings
from benchmarl_hyper.patches.optimizer_steps import wrap_optimizer_steps
from benchmarl_hyper.patches.progress_bars import wrap_progress_bars
from benchmarl_hyper.patches.rollouts import wrap_rollouts


def install() -> None:
    """Make all changes; a second call has no effect."""
    wrap_ensembles()
    wrap_logged_settings()
    wrap_optimizer_steps()
    wrap_progress_bars()
    wrap_rollouts()
