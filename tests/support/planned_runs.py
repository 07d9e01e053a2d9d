"""Sweeps as Hydra composes them, and run folders of them in any state."""

from contextlib import contextmanager

from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from benchmarl_hyper.running.run_folder import RunFolder

ON_BALANCE = ("algorithm=ippo", "task=vmas/balance")


@contextmanager
def sweep(folder, *overrides, base=ON_BALANCE):
    """The configuration of ``python -m benchmarl_hyper.run -m``, for a folder of its own."""
    with initialize_config_module("benchmarl_hyper.conf", version_base=None):
        words = [*base, f"hydra.sweep.dir={folder}", *overrides]
        yield GlobalHydra.instance().hydra.compose_config("run", words, RunMode.MULTIRUN)


def run_in(folder, variant, seed, settings=None, **facts):
    """A run folder with a record, as our runner leaves it."""
    path = folder / "vmas_balance" / f"ippo_{variant}" / f"seed_{seed}"
    labels = {"task": "vmas/balance", "label": f"ippo_{variant}", "seed": seed, "overrides": []}
    with RunFolder(path).locked():
        RunFolder(path).begin(settings or {}, {**labels, "frames": 0, "max_frames": 100})
        RunFolder(path).update(**facts)
    return path
