"""What runs cost, and how long they are to be: measured in the first minute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarl import hydra_config
from omegaconf import DictConfig

from benchmarl_hyper.advise.candidates import Candidate
from benchmarl_hyper.advise.memory import Memory
from benchmarl_hyper.advise.processes import run_all
from benchmarl_hyper.advise.request import Request
from benchmarl_hyper.running.records import records
from benchmarl_hyper.terminal import duration, last_line

LENGTH = ("experiment.max_n_frames", "experiment.max_n_iters")
EVALUATION = "experiment.evaluation_interval"
PLANNED = 6  # seeds of each candidate that the budget pays for, if it chooses the length of runs
EVALUATIONS = 10
FEWEST = 2  # seeds of each candidate


def frames_per_batch(cfg: DictConfig) -> int:
    """Return the frames that a run collects at a time."""
    on_policy = hydra_config.load_algorithm_config_from_hydra(cfg.algorithm).on_policy()
    config = hydra_config.load_experiment_config_from_hydra(cfg.experiment)
    return config.collected_frames_per_batch(on_policy)


def frames_per_run(cfg: DictConfig) -> int:
    """Return the frames for which a run trains."""
    on_policy = hydra_config.load_algorithm_config_from_hydra(cfg.algorithm).on_policy()
    config = hydra_config.load_experiment_config_from_hydra(cfg.experiment)
    return config.get_max_n_frames(on_policy)


def measure(
    every: Sequence[Candidate], request: Request, log: Path, tick: Callable[[], object]
) -> tuple[dict[str, float], float]:
    """Train each candidate for two iterations, in a folder that is removed.

    Returns:
        Seconds per frame by candidate, and the seconds that a process takes to start.

    Raises:
        ValueError: if none of them trains; the message is the first error.
    """
    found: dict[str, float] = {}
    errors: list[str] = []
    with TemporaryDirectory(prefix="benchmarl_hyper_advise_") as place:
        batch = frames_per_batch(every[0].cfg)
        short = [f"{LENGTH[0]}={2 * batch}", f"{LENGTH[1]}=null", f"{EVALUATION}={batch}"]
        commands = [
            one.command(*short, "seed=0", f"hydra.run.dir={Path(place, one.name)}") for one in every
        ]
        began = time.monotonic()
        ends = run_all(commands, request.jobs, log, tick)
        elapsed = time.monotonic() - began
        for one, end in zip(every, ends, strict=True):
            record = next(iter(records(Path(place, one.name)).values()), {})
            if record.get("status") == "done":
                found[one.name] = record["wall_time_s"] / record["frames"]
            else:
                reason = last_line(record.get("error")) or f"its process ended with {end}"
                errors.append(f"{one.name}: {reason}")
    if not found:
        raise ValueError(f"no candidate can be trained: {errors[0]}; {log} has the rest")
    slowest = max(found.values())
    n_waves = math.ceil(len(every) / request.jobs)
    start = max(elapsed / n_waves - slowest * 2 * batch, 0.0)
    return {one.name: found.get(one.name, slowest) for one in every}, start


def chosen_length(
    cfg: DictConfig, request: Request, per_frame: float, memory: Memory
) -> dict[str, int]:
    """Return settings for the length of runs and for evaluations, as far as the user has none.

    Args:
        cfg: the composed configuration of a candidate.
        request: what the user asks for.
        per_frame: the mean seconds of a frame; 0 if frames are the budget.
        memory: the seconds spent so far, and those that a process takes to start.
    """
    typed = {word.lstrip("+").partition("=")[0] for word in request.overrides}
    batch, length, chosen = frames_per_batch(cfg), frames_per_run(cfg), {}
    if not typed & {*LENGTH}:
        n_runs = PLANNED * len(request.candidates)
        share = request.frames / n_runs
        if math.isinf(request.frames):
            seconds = (request.seconds - memory.seconds) * request.jobs / n_runs
            share = (seconds - memory.start_seconds) / per_frame
        length = min(length, max(int(share / batch), 1) * batch)
        chosen[LENGTH[0]] = length
    if EVALUATION not in typed:
        chosen[EVALUATION] = max(round(length / batch / EVALUATIONS), 1) * batch
    return chosen


class Budget:
    """What is left to spend, in seconds or in frames.

    Args:
        request: what the user asks for.
        memory: what was measured and spent so far.
        frames: the frames of a run.
    """

    def __init__(self, request: Request, memory: Memory, frames: int):
        self.request, self.memory, self.frames = request, memory, frames

    def cost(self, name: str) -> float:
        """Return what a run of a candidate costs."""
        if math.isinf(self.request.seconds):
            return self.frames
        run = self.memory.seconds_per_run[name] + self.memory.start_seconds
        return run / self.request.jobs

    @property
    def left(self) -> float:
        """What is left."""
        if math.isinf(self.request.seconds):
            return self.request.frames - self.frames * sum(self.memory.target.values())
        return self.request.seconds - self.memory.seconds

    def affordable(self, names: Sequence[str]) -> int:
        """Return how many more seeds of candidates can be paid for."""
        return max(int(self.left / sum(map(self.cost, names))), 0)

    def refuse_too_little(self) -> None:
        """Raise a ``ValueError`` if two seeds of each candidate cannot be paid for."""
        names = self.request.candidates
        if self.affordable(names) >= FEWEST:
            return
        whole = FEWEST * sum(map(self.cost, names))
        if math.isinf(self.request.seconds):
            raise ValueError(
                f"frames={self.request.frames:,.0f} is too little: a run takes {self.frames:,} "
                f"frames, so {FEWEST} seeds of {len(names)} candidates take frames={whole:,.0f}; "
                "give more, or fewer candidates, or shorter runs (experiment.max_n_frames)"
            )
        longest, spent = max(self.memory.seconds_per_run.values()), self.memory.seconds
        enough = math.ceil((spent + 1.1 * whole) / 60) + 1
        raise ValueError(
            f"minutes={self.request.seconds / 60:g} is too little: a run takes about "
            f"{duration(longest)} (measured on its first iterations, in {duration(spent)}), so "
            f"{FEWEST} seeds of {len(names)} candidates take minutes={enough}, "
            f"{self.request.jobs} at a time; give more, or fewer candidates, or shorter runs "
            "(experiment.max_n_frames)"
        )
