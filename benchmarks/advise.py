"""How often ``advise`` is wrong and undecided, on seeds drawn from recorded runs.

``python benchmarks/advise.py`` prints the tables of docs/how-to/advise.md (25 minutes, on a core
that four processes shared). ``--tasks chosen`` is for the tasks on which the settings of the
method were chosen, and ``--tasks games/specialisation_4 --noise 0.1`` for one task. Nothing is
trained.

A problem is four variants on a task of ``results/*.tar.xz`` with five or ten seeds each. Seeds are
drawn from them with replacement, for all four variants together, so that what a seed does to all
of them stays. As real runs never repeat a score exactly, a little normal noise is added that keeps
means, variances and correlations (a smoothed bootstrap: Silverman and Young 1987, Biometrika 74,
469-479). The means over the recorded seeds count as the truth.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng

from benchmarl_hyper.advise import looks as levels
from benchmarl_hyper.advise.allocation import needed, next_look
from benchmarl_hyper.advise.decisions import Decision, Verdict, verdict
from benchmarl_hyper.report.reading.results import read

RESULTS = Path(__file__).resolve().parents[1] / "results"
SETS = {
    "ways to share": ("fups", "fups_id", "hypermarl_mlp", "nops"),
    "near each other": ("hypermarl_linear", "hypermarl_lowrank", "hypermarl_mlp_unit", "nops"),
}
BUDGETS = (4, 6, 8, 10, 12, 15, 20)  # runs per candidate
FEWEST_SEEDS, MARGIN, NOISE = 5, 0.05, 0.5
DRAWS = 40


class Problem(NamedTuple):
    """Recorded scores ``[seeds, candidates]`` of a task, and the score of random play."""

    task: str
    candidates: str
    scores: np.ndarray
    floor: float

    def is_worse(self) -> np.ndarray:
        """Return which candidates are worse than the best by more than the margin."""
        means = self.scores.mean(axis=0)
        width = MARGIN * (means.max() - min(self.floor, means.min()))
        return means.max() - means > width

    def draw(self, n_seeds: int, generator: Generator, noise: float = NOISE) -> np.ndarray:
        """Return the scores ``[seeds, candidates]`` of new seeds."""
        n, mean = len(self.scores), self.scores.mean(axis=0)
        centred = self.scores - mean
        added = generator.standard_normal((n_seeds, n)) @ centred / n**0.5
        drawn = centred[generator.integers(n, size=n_seeds)]
        return mean + (drawn + noise * added) / (1 + noise**2) ** 0.5


class Outcome(NamedTuple):
    """Decisions about candidates, and the runs that they took."""

    decisions: Sequence[Decision]
    runs: int


def problems() -> Iterator[Problem]:
    """Yield the problems of the archives, in order of the tasks' names.

    The archives have no random play. Their first evaluation, after one iteration, stands for it.
    """
    found: dict[str, dict[str, dict[str, tuple[float, float]]]] = defaultdict(dict)
    for run in read(sorted(RESULTS.glob("*.tar.xz"))).runs:
        label, _, rate = run.label.partition("_lr")
        name = label.removeprefix("ippo_").removeprefix("paper_")
        first = float(np.mean(run.evaluations[0].metrics["return"]))
        task = f"{run.task}, lr {rate}" if rate else run.task
        found[task].setdefault(name, {})[run.seed] = run.final_return, first
    for task, variants in sorted(found.items()):
        for title, names in SETS.items():
            if variants.keys() >= {*names}:
                common = set.intersection(*({*variants[name]} for name in names))
                seeds = sorted(common, key=lambda seed: (len(seed), seed))
                if len(seeds) >= FEWEST_SEEDS:
                    both = np.array([[variants[name][seed] for name in names] for seed in seeds])
                    yield Problem(task, title, both[..., 0], float(both[..., 1].mean()))


def adaptive(scores: np.ndarray, floor: float, budget: int, everybody: bool = False) -> Outcome:
    """Return what ``advise`` decides.

    Args:
        scores: ``[seeds, candidates]``.
        floor: the score of random play.
        budget: the runs that it may take.
        everybody: whether all candidates always get the same number of seeds.
    """
    names = [str(k) for k in range(scores.shape[1])]
    have, looks, wanted = dict.fromkeys(names, 0), [], names
    found: Verdict | None = None
    while wanted:
        target = next_look(looks[-1] if looks else 0)
        cost = sum(target - have[name] for name in wanted)
        if sum(have.values()) + cost > budget or target > len(scores):
            break
        have |= dict.fromkeys(wanted, target)
        looks.append(target)
        seen = {name: scores[: have[name], k] for k, name in enumerate(names)}
        found = verdict(seen, looks, floor, MARGIN)
        left = budget - sum(have.values())
        if everybody:
            wanted = names if found.undecided else []
        else:
            wanted = needed(found, target + left / max(2, len(needed(found))))
    decisions = found.decisions if found else [Decision.UNDECIDED] * len(names)
    return Outcome(decisions, sum(have.values()))


def one_look(scores: np.ndarray, floor: float, budget: int) -> Outcome:
    """Return what the same intervals decide with equal seeds and a single look, at the end."""
    n = budget // scores.shape[1]
    spent, levels.spent = levels.spent, lambda n_seeds: float(n_seeds > 0)
    levels._levels.cache_clear()
    try:
        seen = {str(k): column for k, column in enumerate(scores[:n].T)}
        return Outcome(verdict(seen, [n], floor, MARGIN).decisions, budget)
    finally:
        levels.spent = spent
        levels._levels.cache_clear()


def rates(outcome: Outcome, is_worse: np.ndarray) -> tuple[float, float, float, float]:
    """Return the share of right decisions and of open ones, whether one is wrong, and the runs."""
    pairs = list(zip(outcome.decisions, is_worse, strict=True))
    right = np.mean([one is (Decision.WORSE if bad else Decision.EQUAL) for one, bad in pairs])
    open_ = np.mean([one is Decision.UNDECIDED for one, _ in pairs])
    return float(right), float(open_), float(right + open_ < 1 - 1e-9), outcome.runs


DESIGNS = {
    "advise": adaptive,
    "equal seeds, the same looks": lambda *given: adaptive(*given, everybody=True),
    "equal seeds, one look": one_look,
}


def study(problem: Problem, draws: int = DRAWS, noise: float = NOISE) -> dict[str, np.ndarray]:
    """Return mean rates ``[budgets, 4]`` by design."""
    generator, is_worse = default_rng(0), problem.is_worse()
    sums = {name: np.zeros((len(BUDGETS), 4)) for name in DESIGNS}
    for _ in range(draws):
        scores = problem.draw(2 * BUDGETS[-1], generator, noise)
        for name, design in DESIGNS.items():
            for row, budget in zip(sums[name], BUDGETS, strict=True):
                runs = budget * scores.shape[1]
                row += rates(design(scores, problem.floor, runs), is_worse)
    return {name: total / draws for name, total in sums.items()}


def runs_at_equal_power(studied: np.ndarray, other: np.ndarray) -> list[float]:
    """Return runs as a share of those that the other design takes for as many right decisions.

    The other design is read off between its budgets. It is nan where its power does not reach.
    """
    power, runs = other[:, 0], other[:, 3]
    return [
        float(row[3] / np.interp(row[0], power, runs, left=np.nan, right=np.nan)) for row in studied
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", default="reported")
    parser.add_argument("--noise", type=float, default=NOISE)
    options = parser.parse_args()
    every = list(problems())
    tasks = sorted({problem.task for problem in every})
    halves = {"chosen": tasks[::2], "reported": tasks[1::2]}
    wanted = halves.get(options.tasks, [options.tasks])
    kept = [problem for problem in every if problem.task in wanted]
    studied = [study(problem, noise=options.noise) for problem in kept]
    for title in (*SETS, "all"):
        mine = [s for p, s in zip(kept, studied, strict=True) if title in ("all", p.candidates)]
        means = {name: np.mean([one[name] for one in mine], axis=0) for name in DESIGNS}
        print(f"\n{title}: {len(mine)} problems, {DRAWS} draws each")
        for name, table in means.items():
            print(f"  {name}")
            of_all = np.array([one[name][:, 2] for one in mine])
            shares = [runs_at_equal_power(table, means[other]) for other in list(DESIGNS)[1:]]
            for k, (right, open_, wrong, runs) in enumerate(table):
                print(
                    f"    {BUDGETS[k]:2} per candidate: right {right:.3f}, open {open_:.3f}, "
                    f"wrong {wrong:.4f} (worst problem {of_all[:, k].max():.2f}), "
                    f"runs {runs:.1f}, of {' and '.join(f'{s[k]:.2f}' for s in shares)} "
                )
    for problem, one in zip(kept, studied, strict=True):
        row = one["advise"][-1]
        print(f"{problem.task} | {problem.candidates} | " + " | ".join(f"{x:.2f}" for x in row))


if __name__ == "__main__":
    main()
