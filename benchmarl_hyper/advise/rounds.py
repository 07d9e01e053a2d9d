"""Rounds of seeds: train, look, stop whoever is decided, and spend the rest on the others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from benchmarl_hyper.advise.allocation import needed, next_look
from benchmarl_hyper.advise.candidates import Candidate, candidate, refuse_other_runs
from benchmarl_hyper.advise.costs import Budget, chosen_length, frames_per_run, measure
from benchmarl_hyper.advise.decisions import Verdict, verdict
from benchmarl_hyper.advise.looks import FIRST
from benchmarl_hyper.advise.memory import remembered
from benchmarl_hyper.advise.outcomes import Outcome, is_finished, outcome
from benchmarl_hyper.advise.processes import POLL, run_all
from benchmarl_hyper.advise.random_play import chosen_task, random_return
from benchmarl_hyper.advise.request import Request
from benchmarl_hyper.running.records import is_locked
from benchmarl_hyper.terminal import duration

LOG = "advise.log"  # what the runs print
WRITTEN_EVERY = 5  # seconds


class Study:
    """The runs of a request, and what they say so far.

    Args:
        request: what the user asks for.
        say: a function that shows a line; with ``passing=True``, the next line replaces it.

    Raises:
        ValueError: if the request cannot work.
    """

    def __init__(self, request: Request, say: Callable[..., object]):
        self.request, self.say = request, say
        first = self._candidates({})
        self.folder = first[0].folder()
        self.memory = remembered(self.folder)
        self._told = self._ticked = time.monotonic()
        self._doing = ""
        if self.memory.random_play is None:
            self._prepare(first)
        self.candidates = self._candidates(self.memory.settings)
        refuse_other_runs(list(self.candidates))
        self.frames = frames_per_run(self.candidates[0].cfg)
        self.budget = Budget(request, self.memory, self.frames)
        self.task = chosen_task(self.candidates[0].cfg)

    def _candidates(self, settings: dict) -> list[Candidate]:
        return [candidate(self.request, name, settings) for name in self.request.candidates]

    def _prepare(self, first: list[Candidate]) -> None:
        """Measure what frames cost, choose the length of runs, and play at random."""
        per_frame, memory = dict.fromkeys(self.request.candidates, 0.0), self.memory
        if math.isfinite(self.request.seconds):
            self._doing = "measuring how long a run takes"
            per_frame, memory.start_seconds = measure(
                first, self.request, self.folder / LOG, self._tick
            )
        cfg = first[0].cfg
        mean = sum(per_frame.values()) / len(per_frame)
        memory.settings = chosen_length(cfg, self.request, mean, memory)
        length = frames_per_run(self._candidates(memory.settings)[0].cfg)
        memory.seconds_per_run = {name: length * one for name, one in per_frame.items()}
        memory.random_play = random_return(cfg, chosen_task(cfg))
        Budget(self.request, memory, length).refuse_too_little()
        self._write()

    def run(self) -> tuple[Verdict, dict[str, Outcome]]:
        """Train until all is decided, or until the budget is spent.

        Returns:
            What is known, and the outcomes of the candidates by name.

        Raises:
            ValueError: if fewer than two candidates can be trained.
        """
        memory = self.memory
        if not memory.target:
            self.budget.refuse_too_little()
            n = min(next_look(0), self.budget.affordable(self.request.candidates))
            memory.target = dict.fromkeys(self.request.candidates, n)
        while True:
            self._train()
            found, outcomes = self._look()
            wanted = self._next(found)
            if not wanted:
                self._write()
                return found, outcomes
            memory.target |= wanted
            self._write()

    def _train(self) -> None:
        """Train what is missing of the current round."""
        commands = []
        for one in self.candidates:
            folders = self._folders(one)
            self._wait_for(folders)
            missing = [seed for seed, path in enumerate(folders) if not is_finished(path)]
            commands += one.commands(missing) if missing else []
        if commands:
            n_seeds = max(self.memory.target.values())
            self._doing = f"training up to {n_seeds} seeds of {self._active(n_seeds)}"
            self._tick()
            run_all(commands, self.request.jobs, self.folder / LOG, self._tick)
            self._write()

    def _wait_for(self, folders: list[Path]) -> None:
        """Wait for processes that outlived an earlier start of this command."""
        self._doing = "waiting for another process that trains a run"
        while any(map(is_locked, folders)):
            self._tick()
            time.sleep(POLL)

    def _active(self, n_seeds: int) -> str:
        return ", ".join(name for name, n in self.memory.target.items() if n == n_seeds)

    def _folders(self, one: Candidate) -> list[Path]:
        first = one.job(0).path
        n_seeds = self.memory.target.get(one.name, 0)
        return [first.with_name(f"seed_{seed}") for seed in range(n_seeds)]

    def _look(self) -> tuple[Verdict, dict[str, Outcome]]:
        """Return what is known with the seeds of the current round."""
        memory = self.memory
        outcomes = {one.name: outcome(self._folders(one)) for one in self.candidates}
        able = {name: one for name, one in outcomes.items() if one.runs}
        if len(able) < 2:
            reasons = [
                f"{name}: {reason}"
                for name, one in outcomes.items()
                for reason in list(one.failures.values())[:1]
            ]
            raise ValueError(f"fewer than two candidates can be trained: {'; '.join(reasons)}")
        for name, one in able.items():
            if math.isfinite(one.seconds):
                memory.seconds_per_run[name] = one.seconds
        n_seeds = max(memory.target[name] for name in able)
        if n_seeds >= FIRST and n_seeds > max(memory.looks, default=0):
            memory.looks.append(n_seeds)
        scores = {name: one.scores(memory.target[name]) for name, one in able.items()}
        found = verdict(scores, memory.looks, memory.random_play or 0.0, self.request.margin)
        states = [f"{name} {one.value}" for name, one in zip(able, found.decisions, strict=True)]
        self.say(f"{n_seeds} seeds: {', '.join(states)}")
        return found, outcomes

    def _next(self, found: Verdict) -> dict[str, int]:
        """Return the numbers of seeds of the next round by candidate; empty if there is none."""
        names = needed(found) if found.n_seeds else list(found.names)
        if not names:
            return {}
        n = max(found.n_seeds, *(self.memory.target[name] for name in found.names))
        if found.n_seeds:
            names = needed(found, n + self.budget.affordable(names))
        target = next_look(n)
        while names and target > n:
            seeds = {name: target - self.memory.target[name] for name in names}
            cost = sum(count * self.budget.cost(name) for name, count in seeds.items())
            if cost <= self.budget.left:
                return dict.fromkeys(names, target)
            target -= 1
        return {}

    def _tick(self) -> None:
        """Count the time, and show it."""
        now = time.monotonic()
        self.memory.seconds += now - self._ticked
        self._ticked = now
        if now - self._told > WRITTEN_EVERY:
            self._told = now
            self._write()
        self.say(f"{self._doing}: {duration(self.memory.seconds)} spent", passing=True)

    def _write(self) -> None:
        self.memory.write(self.folder)
