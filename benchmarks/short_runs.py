"""Short trainings of one seed, or of several together, and the CPU time of their iterations."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarl.experiment import Callback, Experiment
from benchmarl.hydra_config import load_experiment_from_hydra
from hydra import compose, initialize_config_module

from benchmarl_hyper.run import build
from benchmarl_hyper.running.job import with_sharing_flags
from benchmarl_hyper.running.seeds_at_once.batch import SeedBatch

NOTHING_ELSE = [
    "experiment.max_n_frames=null",
    "experiment.evaluation=False",
    "experiment.loggers=[]",
    "experiment.create_json=False",
    "experiment.render=False",
    "experiment.checkpoint_interval=0",
]
STEPS = 128

Tell = Callable[[float], object]


def spread(n_envs: int) -> list[str]:
    """Return overrides for VMAS' simple spread: 128 steps, and 4 epochs of 4 minibatches."""
    return [
        "task=vmas/simple_spread",
        "algorithm=ippo",
        "experiment.prefer_continuous_actions=False",
        f"experiment.on_policy_n_envs_per_worker={n_envs}",
        f"experiment.on_policy_collected_frames_per_batch={n_envs * STEPS}",
        f"experiment.on_policy_minibatch_size={n_envs * STEPS // 4}",
        "experiment.on_policy_n_minibatch_iters=4",
    ]


def hidden(size: int) -> list[str]:
    """Return overrides for policies and critics with two hidden layers of one size."""
    return [f"{key}.num_cells=[{size},{size}]" for key in ("model", "critic_model")]


class Clock(Callback):
    """A callback that measures the CPU seconds of iterations.

    Args:
        tell: function that is called after each iteration with its seconds, those of the call not
            included; BenchMARL pickles it. The first iteration is longer, because it builds what is
            built only once.
    """

    def __init__(self, tell: Tell):
        super().__init__()
        self.tell, self.before = tell, time.process_time()

    def on_train_end(self, training_td: object, group: str) -> None:
        """Measure the time from the end of one iteration's training to the next."""
        self.tell(time.process_time() - self.before)
        self.before = time.process_time()


class ShortRuns:
    """Trainings with one setting, without evaluations and files, on one torch thread.

    Args:
        overrides: the setting, as on the command line.
        iterations: number of iterations.
        folder: folder in which experiments may save.
        package: whose runner composes the setting, ``benchmarl_hyper`` or ``benchmarl``.
    """

    def __init__(
        self,
        overrides: Sequence[str],
        iterations: int,
        folder: str,
        package: str = "benchmarl_hyper",
    ):
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        logging.getLogger("torchrl").setLevel("WARNING")
        short = [f"experiment.max_n_iters={iterations}", f"experiment.save_folder={folder}"]
        words = [*overrides, *NOTHING_ELSE, *short]
        name = {"benchmarl_hyper": "run", "benchmarl": "config"}[package]
        with initialize_config_module(f"{package}.conf", version_base=None):
            self.cfg = compose(name, words, return_hydra_config=True)
        self.task, self.folder = self.cfg.hydra.runtime.choices.task, Path(folder)

    def benchmarl(self, tell: Tell) -> Experiment:
        """Return one seed as BenchMARL's own runner trains it.

        Args:
            tell: see :class:`Clock`.
        """
        return load_experiment_from_hydra(self.cfg, self.task, [Clock(tell)])

    def alone(self, tell: Tell) -> Experiment:
        """Return one seed as our runner trains it.

        Args:
            tell: see :class:`Clock`.
        """
        return self._ours([Clock(tell)], seed=0)

    def together(self, n_seeds: int, tell: Tell) -> SeedBatch:
        """Return several seeds as our runner trains them together.

        Args:
            n_seeds: number of seeds.
            tell: see :class:`Clock`; it is told the seconds of all seeds.
        """

        def member(index: int, environments: Any) -> Any:
            clock = [Clock(tell)] if index == 0 else []
            return self._ours(clock, seed=index, environments=environments)

        return SeedBatch(member, range(n_seeds))

    def _ours(self, callbacks: list[Callback], **arguments: Any) -> Any:
        cfg = with_sharing_flags(self.cfg)
        return build(cfg, self.task, self.folder, None, callbacks, **arguments)
