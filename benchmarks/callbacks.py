"""What the callbacks cost: ``python benchmarks/callbacks.py [ITERATIONS]``.

The table shows the time inside each callback, with its default settings, as a share of the whole
run. The run is IPPO on VMAS Dispersion with BenchMARL's base experiment, ``hypermarl_mlp`` of
[64, 64] and one torch thread.
"""

import sys
import tempfile
import time
import warnings
from dataclasses import replace

import torch
from benchmarl.algorithms import IppoConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import Experiment, ExperimentConfig

from benchmarl_hyper import HypermarlMlpConfig
from benchmarl_hyper.diagnostics.callbacks import CALLBACKS
from benchmarl_hyper.terminal import table

HOOKS = ("on_evaluation_end", "on_train_step")


def timed(callback: object, seconds: dict[str, list[float]], name: str) -> object:
    """Let the hooks of a callback record how many seconds they take, and return the callback."""

    def clock(hook):
        def run(*arguments):
            start = time.perf_counter()
            hook(*arguments)
            seconds[name].append(time.perf_counter() - start)

        return run

    for hook in HOOKS:
        setattr(callback, hook, clock(getattr(callback, hook)))
    return callback


def main(iterations: int) -> None:
    """Measure the callbacks, and print a table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    seconds: dict[str, list[float]] = {name: [] for name in CALLBACKS}
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(
            task=VmasTask.DISPERSION.get_from_yaml(),
            algorithm_config=replace(IppoConfig.get_from_yaml(), share_param_critic=False),
            model_config=replace(HypermarlMlpConfig.get_from_yaml(), num_cells=[64, 64]),
            seed=0,
            config=replace(
                ExperimentConfig.get_from_yaml(),
                save_folder=folder,
                loggers=["csv"],
                render=False,
                max_n_frames=None,
                max_n_iters=iterations,
            ),
        )
        experiment.callbacks += [
            timed(callback(), seconds, name) for name, callback in CALLBACKS.items()
        ]
        for callback in experiment.callbacks:
            callback.experiment = experiment
        start = time.perf_counter()
        experiment.run()
        total = time.perf_counter() - start
    rows = [
        [name, str(len(spent)), f"{sum(spent):.2f}", f"{sum(spent) / total:.2%}"]
        for name, spent in seconds.items()
    ]
    print(f"\n{iterations} iterations, {total:.1f} s in all")
    print(table([["callback", "calls", "seconds", "of the run"], *rows]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
