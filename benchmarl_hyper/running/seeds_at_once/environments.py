"""Environments with rows for many seeds, each of which draws its own random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from benchmarl.experiment import Experiment
from benchmarl.utils import local_seed
from torch import Generator
from torch.overrides import TorchFunctionMode
from torchrl.envs import Compose, EnvBase, TransformedEnv

from benchmarl_hyper.running.seeds_at_once.random_numbers import RANDOM, RowsOfSeeds, Streams


class SharedEnvironments:
    """The environments of ``S`` seeds, built for the first experiment that asks.

    Args:
        seeds: the seeds.
    """

    def __init__(self, seeds: Sequence[int]):
        self.seeds = seeds
        self._built: dict[bool, tuple[EnvBase, Streams]] = {}

    def training(self, run: Experiment) -> tuple[EnvBase, Streams]:
        """Return the environment to train in, ``[S * environments]``, and its random numbers."""
        return self._get(run, run.config.n_envs_per_worker(run.on_policy), training=True)

    def evaluation(self, run: Experiment) -> tuple[EnvBase, Streams]:
        """Return the environment to evaluate in, ``[S * episodes]``, and its random numbers."""
        return self._get(run, run.config.evaluation_episodes, training=False)

    def close(self) -> None:
        """Close what was built."""
        for env, _ in self._built.values():
            env.close()

    def _get(self, run: Experiment, n_rows: int, training: bool) -> tuple[EnvBase, Streams]:
        if training not in self._built:
            env = _environment(run, len(self.seeds) * n_rows, training)
            simulator = _simulator(env)
            others = [streams for _, streams in self._built.values()]
            # All environments of VMAS draw from one generator
            streams = others[0] if simulator and others else Streams(self.seeds, env.device)
            draw_by_seed(env, streams.torch)
            if simulator and training:
                _innermost(env)._reset()  # which VMAS does as it is built
            self._built[training] = env, streams
        return self._built[training]


def _environment(run: Experiment, n_rows: int, training: bool) -> EnvBase:
    """Build an environment as an experiment does, but with another number of rows."""
    task, config = run.task, run.config
    with local_seed():
        env = task.get_env_fun(
            num_envs=n_rows,
            continuous_actions=run.continuous_actions,
            seed=run.seed,
            device=config.sampling_device,
        )()
        transforms = task.get_env_transforms(env)
        if training:
            transforms = [*transforms, task.get_reward_sum_transform(env)]
        env = TransformedEnv(env, Compose(*transforms)).to(config.sampling_device)
        return run.algorithm.process_env_fun(lambda: env)()


def _innermost(env: Any) -> Any:
    while isinstance(env, TransformedEnv):
        env = env.base_env
    return env


def _simulator(env: EnvBase) -> Any:
    """Return the simulator of an environment of VMAS; None for other environments."""
    simulator = getattr(_innermost(env), "_env", None)
    return simulator if hasattr(simulator, "reset_at") else None


def draw_by_seed(env: EnvBase, generators: Sequence[Generator]) -> None:
    """Make an environment draw the numbers of each seed's rows from that seed's generator.

    Resets draw by row, and steps do if the task draws random numbers in them.

    Args:
        env: the environment, whose rows are seed-major.
        generators: a generator for each of ``S`` seeds.
    """
    base = _innermost(env)
    by_row = RowsOfSeeds(generators, base.batch_size[0])
    steps_draw = _draws_in_steps(base)
    for name in ("_reset", "_step") if steps_draw else ("_reset",):
        setattr(base, name, _within(by_row, getattr(base, name)))
    if simulator := _simulator(env):  # VMAS resets single rows by their number
        simulator.reset_at = _of_row(by_row, simulator.reset_at)


class _Watch(TorchFunctionMode):
    seen = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen |= func in RANDOM
        return func(*args, **(kwargs or {}))


def _draws_in_steps(base: Any) -> bool:
    with local_seed(), torch.no_grad():
        start = base.rand_action(base.reset())
        with _Watch() as watch:
            base._step(start)
    return watch.seen


def _within(mode: RowsOfSeeds, method: Any) -> Any:
    def within(*args: Any, **kwargs: Any) -> Any:
        with mode:
            return method(*args, **kwargs)

    return within


def _of_row(mode: RowsOfSeeds, reset_at: Any) -> Any:
    rows_per_seed = mode.n_rows // len(mode.generators)

    def of_row(index: int, *args: Any, **kwargs: Any) -> Any:
        mode.only = index // rows_per_seed
        try:
            return reset_at(index, *args, **kwargs)
        finally:
            mode.only = None

    return of_row
