"""Where an iteration's CPU seconds go.

``python benchmarks/iteration_parts.py [ITERATIONS] [plain]``

Single runs of IPPO train ``fups`` of [64, 64] on one torch thread, on three tasks. Functions of the
run are timed as they are called. Seconds are exclusive: what a timed function calls that is timed
itself does not count. The first iteration is left out, because it builds what is built only once.
With ``plain``, torchrl collects and samples, as in BenchMARL; otherwise, lean runs are measured.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from benchmarl.algorithms import IppoConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models import MlpConfig
from benchmarl.models.common import ModelConfig
from timing import header
from torchrl.envs import TransformedEnv

from benchmarl_hyper import FupsConfig
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.lean_rollout import LeanRollout
from benchmarl_hyper.tasks.games import GamesTask
from benchmarl_hyper.terminal import table

# Task, environments, and steps of an iteration
SETTINGS = {
    "games of 8 agents": (lambda: GamesTask.SPECIALISATION_8.get_task(), 64, 20),
    "vmas/simple_spread": (lambda: VmasTask.SIMPLE_SPREAD.get_from_yaml(), 16, 128),
    "vmas/dispersion": (lambda: VmasTask.DISPERSION.get_from_yaml(), 16, 128),
}
PARTS = (
    "simulation",
    "environment",
    "transforms",
    "policy",
    "collector",
    "advantages",
    "buffer",
    "sampling",
    "loss",
    "backward",
    "clipping",
    "optimiser",
    "logging",
    "rest",
)


class Parts:
    """Exclusive CPU seconds of the parts of a run.

    Attributes:
        seconds: seconds by the name of the part.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.open = ["rest"]
        self.since = time.process_time()

    def switch(self) -> None:
        """Give the seconds since the last switch to the part that is open."""
        now = time.process_time()
        self.seconds[self.open[-1]] += now - self.since
        self.since = now

    def timed(self, owner: Any, method: str, part: str) -> None:
        """Let a method of an object count as a part."""
        timed = self.counted(getattr(owner, method), part)
        object.__setattr__(owner, method, timed)  # some have a __setattr__ of their own

    def counted(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """Return a function that counts as a part."""

        def run(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self.open.append(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self.open.pop()

        return run

    def clear(self) -> None:
        """Begin again at zero."""
        self.switch()
        self.seconds.clear()


class TimedCollector:
    """A collector whose batches count as a part.

    Args:
        collector: the collector of a run.
        parts: what counts.
    """

    def __init__(self, collector: Any, parts: Parts):
        self.collector, self.parts = collector, parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.collector, name)

    def __iter__(self) -> Iterator[Any]:
        batches = Batches(iter(self.collector), self.parts)
        while True:
            yield batches.following()


class Batches:
    """The batches of a collector, one by one."""

    def __init__(self, batches: Iterator[Any], parts: Parts):
        self.batches = batches
        parts.timed(self, "following", "collector")

    def following(self) -> Any:
        """Return the next batch."""
        return next(self.batches)


def time_parts(run: Experiment, parts: Parts) -> None:
    """Time the parts of a run that was set up."""
    env, lean = run.collector.env, getattr(run.collector.rollout, "__self__", None)
    if isinstance(lean, LeanRollout):  # what is called is what is timed
        parts.timed(lean.steps, "policy", "policy")
        parts.timed(lean.steps, "step", "environment")
        parts.timed(env, "reset", "environment")
    else:
        parts.timed(run.policy, "forward", "policy")
        for name in ("_step", "_reset"):
            parts.timed(_innermost(env), name, "environment")
    for name in ("_step", "_reset", "inv", "_inv_call"):
        parts.timed(env.transform, name, "transforms")
    if simulator := vars(_innermost(env)).get("_env"):
        for name in ("step", "reset", "reset_at", "get_from_scenario"):
            parts.timed(simulator, name, "simulation")
    for group, loss in run.losses.items():
        parts.timed(loss, "forward", "loss")
        parts.timed(loss.value_estimator, "forward", "advantages")
        parts.timed(run.replay_buffers[group], "sample", "sampling")
        parts.timed(run.replay_buffers[group], "extend", "buffer")
        for optimizer in run.optimizers[group].values():
            parts.timed(optimizer, "step", "optimiser")
            parts.timed(optimizer, "zero_grad", "optimiser")
    parts.timed(run, "_grad_clip", "clipping")
    for name in ("log", "log_collection", "log_training", "commit"):
        parts.timed(run.logger, name, "logging")
    run.collector = TimedCollector(run.collector, parts)


def _innermost(env: Any) -> Any:
    while isinstance(env, TransformedEnv):
        env = env.base_env
    return env


def experiment(
    setting: str,
    folder: str,
    iterations: int,
    kind: Callable[..., Experiment] = ResumableExperiment,
    model: ModelConfig | None = None,
    **options: Any,
) -> Experiment:
    """Return a run of IPPO: four epochs of four minibatches, without evaluations.

    Args:
        setting: name of one of ``SETTINGS``.
        folder: where the run writes.
        iterations: number of its iterations.
        kind: class of the experiment.
        model: model of policy and critic; None for ``fups`` of [64, 64].
        **options: more arguments of the experiment.
    """
    make_task, n_envs, n_steps = SETTINGS[setting]
    config = replace(
        ExperimentConfig.get_from_yaml(),
        loggers=["csv"],
        render=False,
        evaluation=False,
        save_folder=folder,
        max_n_iters=iterations,
        max_n_frames=None,
        adam_extra_kwargs={"fused": True},
        on_policy_collected_frames_per_batch=n_envs * n_steps,
        on_policy_n_envs_per_worker=n_envs,
        on_policy_n_minibatch_iters=4,
        on_policy_minibatch_size=n_envs * n_steps // 4,
    )
    model = model or replace(FupsConfig.get_from_yaml(), num_cells=[64, 64])
    shared = isinstance(model, MlpConfig)
    algorithm = replace(IppoConfig.get_from_yaml(), share_param_critic=shared)
    return kind(
        task=make_task(),
        algorithm_config=algorithm,
        model_config=model,
        seed=0,
        config=config,
        **options,
    )


def profile(setting: str, iterations: int, **options: Any) -> dict[str, float]:
    """Return CPU milliseconds of an iteration of a run, by part.

    Args:
        setting: name of one of ``SETTINGS``.
        iterations: number of iterations to measure.
        **options: arguments of :func:`experiment`.
    """
    parts = Parts()
    with tempfile.TemporaryDirectory() as folder:
        run = experiment(setting, folder, iterations + 1, **options)
        time_parts(run, parts)
        commit = run.logger.commit

        def end_iteration() -> None:
            commit()
            if run.n_iters_performed == 1:
                parts.clear()

        run.logger.commit = end_iteration
        backward = parts.counted(torch.autograd.backward, "backward")
        with patch.object(torch.autograd, "backward", backward):
            run.run()
        parts.switch()
    return {part: 1000 * parts.seconds[part] / iterations for part in PARTS}


def main(iterations: int, lean: bool) -> None:
    """Measure all settings, and print a table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    kind = partial(ResumableExperiment, lean=lean)
    columns = {setting: profile(setting, iterations, kind=kind) for setting in SETTINGS}
    totals = {setting: sum(column.values()) for setting, column in columns.items()}
    print(header())
    print("CPU milliseconds of an iteration, and their share")
    rows = [["part", *columns]]
    for part in PARTS:
        cells = [f"{c[part]:.1f} ({c[part] / totals[s]:.0%})" for s, c in columns.items()]
        rows.append([part, *cells])
    print(table([*rows, ["all", *(f"{total:.1f}" for total in totals.values())]]))


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(*numbers or [10], lean="plain" not in sys.argv)
