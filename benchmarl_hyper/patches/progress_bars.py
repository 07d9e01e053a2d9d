"""Let our runner choose the progress bar of BenchMARL's experiment.

BenchMARL makes the bar itself and offers no setting for it. In a sweep, several bars write over
each other. So the name ``tqdm`` in BenchMARL's module is bound to a function that returns the same
bar except in our runner. Delete this module on the day that BenchMARL lets callers choose.
"""

from __future__ import annotations

from benchmarl.experiment import experiment

from benchmarl_hyper.running.bars import bar


def wrap_progress_bars() -> None:
    """Bind the name; a second call has no effect."""
    experiment.tqdm = bar
