"""Evaluation of many seeds: one rollout, of which each seed gets its own episodes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from tensordict import TensorDictBase
from torchrl.envs import EnvBase
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper.running.absolute_metric import (
    PURPOSE,
    TIMES,
    AbsoluteMetricCallback,
    policy_state,
)
from benchmarl_hyper.running.episodes import info_metrics, return_metrics, until_done
from benchmarl_hyper.running.experiment import derived_seed
from benchmarl_hyper.running.seeds_at_once.member import SeedExperiment
from benchmarl_hyper.running.seeds_at_once.policy import SeedsPolicy
from benchmarl_hyper.running.seeds_at_once.random_numbers import Streams


class Evaluation:
    """Evaluates the policies of many seeds, as each experiment would evaluate its own.

    Args:
        runs: an experiment for each of ``S`` seeds.
        env: the environment, ``[S * episodes]``.
        policy: the policies of all seeds.
        streams: the random numbers of each seed.
        env_streams: those of each seed's environments.
    """

    def __init__(
        self,
        runs: Sequence[SeedExperiment],
        env: EnvBase,
        policy: SeedsPolicy,
        streams: Streams,
        env_streams: Streams,
    ):
        self.runs, self.env, self.policy = runs, env, policy
        self.streams, self.env_streams = streams, env_streams

    def evaluate(self) -> None:
        """Evaluate all seeds, and tell each experiment what came out."""
        began = time.time()
        with self.streams.restored():
            if self.runs[0].config.evaluation_static:
                self._set_seeds([run.seed for run in self.runs])
            episodes = self._episodes()
            seconds = (time.time() - began) / len(self.runs)
            for index, run in enumerate(self.runs):
                with self.streams.of(index):
                    run.evaluated(episodes[index], seconds)

    def measure_best(self) -> None:
        """Write the absolute metric of each seed, from fresh episodes of its best policy."""
        measured = [
            (run, callback, callback.best["policy"])
            for run in self.runs
            for callback in run.callbacks
            if isinstance(callback, AbsoluteMetricCallback) and callback.best
        ]
        if not measured:
            return
        last = [policy_state(run.policy) for run, _, _ in measured]
        for run, _, best in measured:
            run.policy.load_state_dict(best)
        with self.streams.restored():
            self._set_seeds([derived_seed(run.seed, PURPOSE) for run in self.runs])
            rounds = [self._metrics() for _ in range(TIMES)]
        for (run, callback, _), state in zip(measured, last, strict=True):
            run.policy.load_state_dict(state)
            parts = [of_seeds[self.runs.index(run)] for of_seeds in rounds]
            callback.write({name: torch.cat([part[name] for part in parts]) for name in parts[0]})

    def _set_seeds(self, seeds: Sequence[int]) -> None:
        for index, seed in enumerate(seeds):
            self.streams.set_seed(index, seed)
            self.env_streams.set_seed(index, seed)

    @torch.no_grad()
    def _episodes(self, wait: bool = False) -> list[list[TensorDictBase]]:
        """Return the episodes of each seed; with ``wait``, no row starts a second one."""
        config = self.runs[0].config
        deterministic = config.evaluation_deterministic_actions
        kind = ExplorationType.DETERMINISTIC if deterministic else ExplorationType.RANDOM
        with set_exploration_type(kind):
            rollout = self.env.rollout(
                max_steps=self.runs[0].max_steps,
                policy=self.policy,
                auto_cast_to_device=True,
                break_when_any_done=False,
                break_when_all_done=wait,
            )
        by_seed = rollout.split(config.evaluation_episodes)
        return [list(rows.unbind(0)) for rows in by_seed]

    def _metrics(self) -> list[dict[str, Any]]:
        groups = self.runs[0].group_map
        ended = [[until_done(one) for one in episodes] for episodes in self._episodes(wait=True)]
        return [return_metrics(one, groups) | info_metrics(one) for one in ended]
