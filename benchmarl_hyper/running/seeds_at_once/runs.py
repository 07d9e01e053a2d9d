"""Several seeds in their run folders: begun, continued or skipped, and trained together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from benchmarl_hyper.running.job import Job
from benchmarl_hyper.running.one_run import Attempt, claim, interrupts
from benchmarl_hyper.running.output import logged
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.running.seeds_at_once.batch import SeedBatch
from benchmarl_hyper.running.seeds_at_once.environments import SharedEnvironments

# Takes folder, checkpoint and callbacks; seed=, and environments= if seeds are trained at once
Build = Callable[..., Any]


def perform_together(jobs: Sequence[Job], build: Build, alone: bool = True) -> bool:
    """Run jobs that differ in their seed alone, as many of them at once as possible.

    Runs that are done are skipped. Those that continue from different frames, because the process
    was killed between two checkpoints, are trained one group after the other.

    Args:
        jobs: the jobs.
        build: function that makes the experiment of a seed.
        alone: whether the jobs are on their own, rather than part of a sweep, which says itself
            how far it is.

    Returns:
        True if all runs are done; False if another process is working on one of them.

    Raises:
        FolderError: if a folder holds a broken record, or a run with other settings that would be
            lost.
        FloatingPointError: if the networks of a seed are no longer finite. The other seeds are
            trained to their end without it, from their last checkpoints.
        Exception: whatever an experiment raises, after it has been recorded.
    """
    with ExitStack() as locks:
        folders = [RunFolder(job.path) for job in jobs]
        free = [locks.enter_context(folder.locked()) for folder in folders]
        claimed = [
            (job, folder, claim(folder, job.settings, is_free, alone))
            for job, folder, is_free in zip(jobs, folders, free, strict=True)
        ]
        attempts = [
            Attempt(folder, job.labels, job.settings) for job, folder, is_mine in claimed if is_mine
        ]
        with logged([attempt.folder.path for attempt in attempts], alone):
            diverged = [seed for group in _groups(attempts) for seed in _train_group(group, build)]
    if diverged:
        raise FloatingPointError(
            f"seed={diverged}: training ended in values that are not finite; the other seeds went "
            "on. A smaller experiment.lr, or another variant, may keep them finite"
        )
    return all(free)


def _groups(attempts: Sequence[Attempt]) -> list[list[Attempt]]:
    groups: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        start = attempt.checkpoint.name if attempt.checkpoint else ""
        groups.setdefault(start, []).append(attempt)
    return list(groups.values())


def _train_group(attempts: Sequence[Attempt], build: Build) -> list[int]:
    """Train seeds, and return those that had to be left out because they diverged."""
    diverged: list[int] = []
    while attempts:
        try:
            with ExitStack() as failures:
                for attempt in attempts:
                    failures.enter_context(attempt.folder.failures_recorded())
                _train(attempts, build)
            break
        except Exception:
            lost = [attempt for attempt in attempts if attempt.diverged()]
            if not lost or len(attempts) == 1:
                raise
            diverged += [attempt.labels["seed"] for attempt in lost]
            attempts = [a.again() for a in attempts if a not in lost]
    return diverged


def _train(attempts: Sequence[Attempt], build: Build) -> None:
    seeds = [attempt.labels["seed"] for attempt in attempts]
    if len(attempts) == 1:
        (attempt,) = attempts
        attempt.train(partial(build, seed=seeds[0]))
        return
    print(f"seeds {', '.join(map(str, seeds))} of {attempts[0].labels['label']}: trained at once")

    def member(index: int, environments: SharedEnvironments) -> Any:
        attempt = attempts[index]
        make = partial(build, seed=seeds[index], environments=environments)
        return attempt.begin(make, seeds_at_once=seeds)

    with _enough_memory(seeds), interrupts():
        SeedBatch(member, seeds).run()
    for attempt in attempts:
        attempt.end()


@contextmanager
def _enough_memory(seeds: Sequence[int]) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "alloc" in str(error):
            half = len(seeds) // 2
            raise MemoryError(
                f"seed={list(seeds)}: {len(seeds)} seeds at once need more memory than there is; "
                f"train fewer at once, for example -m "
                f"'seed={list(seeds[:half])},{list(seeds[half:])}'"
            ) from error
        raise
