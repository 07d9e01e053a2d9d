"""The answer in words, from runs that were made up."""

import math

import numpy as np
import pytest

from benchmarl_hyper.advise.answer import HEADER, remarks, rows, sentence
from benchmarl_hyper.advise.decisions import verdict
from benchmarl_hyper.advise.outcomes import Outcome
from benchmarl_hyper.report.reading.run import Evaluation, Place, Recording, Run

WAVE = np.array([0.01, -0.01, 0.0, 0.01, -0.01, 0.0])


def outcome(returns, size, failures=(), snd=None, before=None):
    """The outcome of a candidate whose runs had these returns at the end."""
    runs = {}
    for seed, value in enumerate(returns):
        start = value if before is None else before
        points = [(10, 0.0), (80, start), (100, value)]
        runs[seed] = Run(
            "vmas/balance",
            "label",
            str(seed),
            Place("x", ""),
            [Evaluation(n, {"return": [float(y)]}) for n, y in points],
            record={"parameters": {"policy": {"agents": size}}, "wall_time_s": 60.0},
            recording=None if snd is None else Recording({("agents", "snd"): {100: snd}}, {}),
        )
    return Outcome(runs, dict(failures))


def study(**returns):
    outcomes = {name: outcome(x, 100 * (k + 1)) for k, (name, x) in enumerate(returns.items())}
    found = verdict({name: one.scores(6) for name, one in outcomes.items()}, [6], floor=0.0)
    return found, outcomes


def test_agents_gain_from_being_different():
    found, outcomes = study(fups=WAVE, nops=1 + WAVE[::-1], hypermarl=0.99 + WAVE)
    text = sentence(found, outcomes)
    assert text.startswith("Agents of this task gain from being different; nops has the highest")
    assert "hypermarl is as good, within 0.05" in text
    assert f"fups is worse by {found.low[1, 0]:.3g} to {found.high[1, 0]:.3g}" in text
    assert "of these, nops has 67% of the parameters of hypermarl" in text
    assert text.endswith("(95%, up to 6 seeds).")


def test_agents_do_not_gain_from_being_different():
    found, outcomes = study(fups=1 + WAVE, nops=1 + WAVE[::-1])
    assert sentence(found, outcomes).startswith("Agents of this task do not gain")


def test_undecided_is_an_answer():
    found, outcomes = study(fups=0.95 + WAVE, nops=1 + WAVE[::-1], other=WAVE)
    text = sentence(found, outcomes)
    assert text.startswith("Whether agents of this task gain from being different is undecided")
    assert "fups is undecided" in text
    told = "\n".join(remarks(found, outcomes, 0.0, 100))
    assert "fups" in told.partition("Try next: ")[2] or "seeds will not decide it" in told


def test_before_the_first_look_it_says_what_is_missing():
    outcomes = {"fups": outcome([0.0, 0.1], 1), "nops": outcome([1.0, 1.1], 1)}
    found = verdict({name: one.scores(2) for name, one in outcomes.items()}, [], floor=0.0)
    assert "whether another candidate is better" not in sentence(found, outcomes)
    assert "No interval: it needs 3 seeds" in "\n".join(remarks(found, outcomes, 0.0, 100))
    assert [row[3] for row in rows(found, outcomes)] == ["-", "-"]


def test_the_table_begins_with_the_best():
    found, outcomes = study(fups=WAVE, nops=1 + WAVE[::-1])
    first, second = rows(found, outcomes)
    assert len(first) == len(second) == len(HEADER)
    assert first == ["nops", "1.000", "-", "-", "highest", "6", "200", "1 min 0 s"]
    ends = f"{found.low[0, 1]:.3f} to {found.high[0, 1]:.3f}"
    assert second == ["fups", "0.000", "-1.000", ends, "worse", "6", "100", "1 min 0 s"]


def test_remarks_name_failures_diversity_and_curves_that_still_rise():
    failing = {1: "FloatingPointError: nan"}
    outcomes = {
        "fups": outcome(WAVE, 1, failing),
        "nops": outcome(1 + WAVE[::-1], 1, snd=0.7, before=0.6),
        "gone": Outcome({}, {0: "no memory"}),
    }
    found = verdict({name: outcomes[name].scores(6) for name in ("fups", "nops")}, [6], 0.0)
    told = "\n".join(remarks(found, outcomes, 0.0, 100))
    assert "fups: no return for seed 1 (FloatingPointError: nan); its other seeds count." in told
    assert "gone is not compared, since none of its runs has a return (no memory)." in told
    assert "(SND) of nops at the end: 0.700" in told
    assert "still rose by more than the margin: nops by 0.400" in told


def test_flat_curves_are_told():
    found, outcomes = study(fups=WAVE, nops=1 + WAVE[::-1])
    assert "More frames hardly help" in "\n".join(remarks(found, outcomes, 0.0, 100))


def test_the_rise_is_that_of_the_last_fifth():
    assert outcome([1.0, 3.0], 1, before=1.0).rise == pytest.approx(1.0)
    assert math.isnan(Outcome({}, {}).rise)
    assert math.isnan(Outcome({}, {}).seconds)
    assert Outcome({}, {}).parameters is None
