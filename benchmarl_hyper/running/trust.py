"""What reading pickles means, as errors and ``--help`` say it."""

from __future__ import annotations

from benchmarl_hyper.run_files import PICKLED

TRUST = (
    "If you trust whoever wrote this run's folder, use --trust (in Python, trust=True). It reads "
    f"{PICKLED} and the whole checkpoint, which are pickles and can run any code"
)
TRUST_HELP = (
    f"also read runs whose settings are only in {PICKLED}, or whose checkpoint holds more than "
    "tensors and plain values; these files are pickles and can run any code, so use this only for "
    "runs of your own or of people you trust"
)
