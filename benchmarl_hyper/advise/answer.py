"""The answer in words and in a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from benchmarl_hyper.advise.allocation import seeds_to_decide
from benchmarl_hyper.advise.decisions import Decision, Verdict
from benchmarl_hyper.advise.outcomes import Outcome
from benchmarl_hyper.report.output.text import interval, listed, number
from benchmarl_hyper.terminal import duration

SHARED = "fups"  # the candidate in which agents cannot differ
SMALLER = 0.9  # share of parameters from which on a smaller candidate is worth a sentence
HEADER = (
    "candidate",
    "return",
    "minus the best",
    "95% interval",
    "decision",
    "seeds",
    "parameters",
    "time per run",
)


def sentence(found: Verdict, outcomes: Mapping[str, Outcome]) -> str:
    """Return the answer in one sentence.

    Args:
        found: what is known.
        outcomes: the runs of the candidates.
    """
    by_decision = {
        kind: [name for name, one in zip(found.names, found.decisions, strict=True) if one is kind]
        for kind in Decision
    }
    best = found.names[found.best]
    parts = [_conclusion(found)] if SHARED in found.names else []
    equal = [name for name in by_decision[Decision.EQUAL] if name != best]
    parts.append(f"{best} has the highest return")
    if equal:
        parts.append(f"{_and(equal)} {_are(equal)} as good, within {_short(found.margin)}")
    for name in by_decision[Decision.WORSE]:
        i = found.names.index(name)
        ends = found.low[found.best, i], found.high[found.best, i]
        parts.append(f"{name} is worse by {interval(ends, _short)}")
    open_ = [name for name in by_decision[Decision.UNDECIDED] if name != best]
    if open_:
        parts.append(f"{_and(open_)} {_are(open_)} undecided")
    elif best in by_decision[Decision.UNDECIDED]:
        parts.append("whether another candidate is better is undecided")
    parts += _small_one(by_decision[Decision.EQUAL], outcomes)
    n_seeds = max(len(one.runs) for one in outcomes.values())
    return f"{'; '.join(parts)} (95%, up to {n_seeds} seeds)."


def _conclusion(found: Verdict) -> str:
    """Return whether agents gain from being different."""
    decision = found.decisions[found.names.index(SHARED)]
    if decision is Decision.WORSE:
        return "Agents of this task gain from being different"
    if decision is Decision.EQUAL:
        return "Agents of this task do not gain from being different"
    return "Whether agents of this task gain from being different is undecided"


def _small_one(equal: Sequence[str], outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return what to say of the smallest of the candidates that are as good."""
    sizes = {name: outcomes[name].parameters for name in equal}
    known = {name: size for name, size in sizes.items() if size}
    if len(known) < 2:
        return []
    small, large = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    share = known[small] / known[large]
    if share > SMALLER:
        return []
    return [f"of these, {small} has {share:.0%} of the parameters of {large}"]


def rows(found: Verdict, outcomes: Mapping[str, Outcome]) -> list[list[str]]:
    """Return the cells of the table, the best candidate first."""
    best = found.best
    cells = []
    for i in sorted(range(len(found.names)), key=lambda i: -found.means[i]):
        one = outcomes[found.names[i]]
        ends = (found.low[i, best], found.high[i, best])
        known = i != best and all(map(math.isfinite, ends))
        cells.append(
            [
                found.names[i],
                number(float(found.means[i])),
                "-" if i == best else number(float(found.difference[i, best])),
                interval(ends if known else None),
                _decided(found, i),
                str(len(one.runs)),
                f"{one.parameters:,}" if one.parameters else "-",
                duration(one.seconds) if math.isfinite(one.seconds) else "-",
            ]
        )
    return cells


def _decided(found: Verdict, i: int) -> str:
    if i == found.best and found.decisions[i] is Decision.EQUAL:
        return "highest"
    return found.decisions[i].value


def remarks(
    found: Verdict, outcomes: Mapping[str, Outcome], random_play: float, frames: int
) -> Iterator[str]:
    """Yield what else is to be known: the margin, diversity, failures, and what to try next.

    Args:
        found: what is known.
        outcomes: the runs of the candidates.
        random_play: the return of random actions.
        frames: the frames of a run.
    """
    yield (
        f"A difference of {number(found.margin)} or less does not matter here: it is the margin, a "
        f"share of the range between random play ({number(random_play)}) and the best return. "
        f'"Worse" means by more than that, "as good" by less. If differences between seeds are '
        f"normal, all decisions together are wrong with a probability of 5% at most."
    )
    best = found.names[found.best]
    if math.isfinite(outcomes[best].snd):
        yield f"Behavioural diversity (SND) of {best} at the end: {number(outcomes[best].snd)}."
    for name, one in outcomes.items():
        if one.failures:
            seeds, reasons = list(one.failures), list(one.failures.values())
            yield (
                f"{name}: no return for seed {listed(map(str, seeds), 8)} ({reasons[0]}); its "
                "other seeds count."
                if one.runs
                else f"{name} is not compared, since none of its runs has a return ({reasons[0]})."
            )
    yield from _next(found, outcomes, frames)


def _next(found: Verdict, outcomes: Mapping[str, Outcome], frames: int) -> Iterator[str]:
    """Yield what would be worth trying next."""
    rises = {name: outcomes[name].rise for name in found.names}
    rising = {name: rise for name, rise in rises.items() if rise > found.margin}
    if rising:
        texts = [f"{name} by {number(rise)}" for name, rise in rising.items()]
        yield (
            f"Try next: more frames than {frames:,}, since in the last fifth the return still rose "
            f"by more than the margin: {listed(texts, 8)}. Use experiment.max_n_frames=, and "
            "another name=."
        )
    elif all(map(math.isfinite, rises.values())):
        largest = max(rises, key=rises.__getitem__)
        yield (
            f"More frames hardly help: in the last fifth no return rose by more than the margin "
            f"(the most: {largest}, by {number(rises[largest])})."
        )
    for i in found.undecided:
        n_seeds = seeds_to_decide(found, i)
        if n_seeds:
            yield (
                f"Try next: {found.names[i]} would be decided with about {n_seeds} seeds, if the "
                "differences stay as they are. The same command with a larger budget goes on."
            )
        elif found.n_seeds:
            yield (
                f"{found.names[i]}: its difference is so near to the margin that seeds will not "
                "decide it. A smaller or larger margin= may."
            )
    if not found.n_seeds:
        yield "No interval: it needs 3 seeds. The same command with a larger budget goes on."


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _short(value: float) -> str:
    return f"{value:.3g}"
