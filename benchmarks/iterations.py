"""Speed of whole iterations of BenchMARL: ``python benchmarks/iterations.py [ROUNDS]``.

An iteration is collection and training of IPPO or MASAC on VMAS. Policy and critic are the same
kind of model. In a round, every model trains for a few iterations of its own experiment, one model
after the other. Ratios compare the models' median iterations, and are medians over rounds. All runs
use one torch thread and fused Adam.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from statistics import median
from tempfile import TemporaryDirectory

import torch
from benchmarl.algorithms import IppoConfig, MasacConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import Callback, Experiment, ExperimentConfig
from benchmarl.models import MlpConfig, model_config_registry
from networks import UNSHARED
from timing import DEVICE, header, verdict
from torch import nn

from benchmarl_hyper.terminal import table

TARGET = 1.05
MODELS = {(64, 64): ["nops", "hypermarl_mlp"], (256, 256): ["nops", "hypermarl_lowrank"]}
ALGORITHMS = {"ippo": IppoConfig, "masac": MasacConfig}
TASKS = {"dispersion": VmasTask.DISPERSION, "navigation": VmasTask.NAVIGATION}
ITERATIONS = 4


class Clock(Callback):
    """A callback that measures the seconds from one collected batch to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_batch_collected(self, batch: object) -> None:
        """Record the time; training and the next collection follow."""
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    def iteration(self) -> float:
        """Return the median seconds of an iteration.

        The first is left out, because it builds what is built only once.
        """
        seconds = [end - start for start, end in zip(self.times, self.times[1:], strict=False)]
        return median(seconds[1:])


def settings(folder: str) -> ExperimentConfig:
    """Return BenchMARL's defaults with fewer steps of the optimiser and without evaluations."""
    return replace(
        ExperimentConfig.get_from_yaml(),
        loggers=[],
        create_json=False,
        evaluation=False,
        render=False,
        save_folder=folder,
        max_n_frames=None,
        max_n_iters=ITERATIONS + 1,
        adam_extra_kwargs={"fused": True},
        on_policy_n_minibatch_iters=5,
        off_policy_n_optimizer_steps=100,
        sampling_device=DEVICE,
        train_device=DEVICE,
        buffer_device=DEVICE,
    )


def seconds(name: str, cells: tuple[int, ...], algorithm: str, task: str) -> float:
    """Return the seconds of an iteration of an experiment."""
    if name == UNSHARED:
        model = MlpConfig(num_cells=list(cells), activation_class=nn.Tanh, layer_class=nn.Linear)
    else:
        model = replace(model_config_registry[name].get_from_yaml(), num_cells=list(cells))
    clock = Clock()
    with TemporaryDirectory() as folder:
        Experiment(
            task=TASKS[task].get_from_yaml(),
            algorithm_config=replace(
                ALGORITHMS[algorithm].get_from_yaml(), share_param_critic=False
            ),
            model_config=model,
            seed=0,
            config=replace(settings(folder), share_policy_params=name != UNSHARED),
            callbacks=[clock],
        ).run()
    return clock.iteration()


def main(rounds: int) -> None:
    """Measure all experiments, and print a table."""
    torch.set_num_threads(1)
    rows = []
    for algorithm in ALGORITHMS:
        for task in TASKS:
            for cells, names in MODELS.items():
                taken = {name: [] for name in [*names, UNSHARED]}
                for _ in range(rounds):
                    for name, times in taken.items():
                        times.append(seconds(name, cells, algorithm, task))
                for name, times in taken.items():
                    ratio = median(a / b for a, b in zip(times, taken[UNSHARED], strict=True))
                    row = [algorithm, task, str(list(cells)), name, f"{median(times):.2f}"]
                    rows.append([*row, f"{ratio:.2f}", verdict(ratio, TARGET)])
    print(header())
    columns = ["algorithm", "task", "cells", "model", "s", f"/ {UNSHARED}", f"at most {TARGET}"]
    print(table([columns, *rows]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
