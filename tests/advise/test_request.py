"""The words of the command line."""

import math
import re
from pathlib import Path

import pytest

from benchmarl_hyper.advise.request import CANDIDATES, parsed


def test_own_words_are_taken_out_and_the_others_are_overrides():
    words = ["task=vmas/balance", "minutes=20", "candidates=[fups, nops]", "experiment.lr=0.1"]
    asked = parsed([*words, "margin=0.1", "jobs=2", "--config-dir", "mine"])
    assert asked.overrides == ("task=vmas/balance", "experiment.lr=0.1")
    assert asked.candidates == ("fups", "nops")
    assert (asked.seconds, asked.frames) == (1200, math.inf)
    assert (asked.margin, asked.jobs, asked.config_dir) == (0.1, 2, Path("mine"))


def test_without_candidates_the_ways_of_sharing_are_compared():
    asked = parsed(["frames=2_000_000"])
    assert asked.candidates == CANDIDATES
    assert (asked.frames, asked.margin) == (2_000_000, 0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one budget: minutes=20"),
        (["minutes=1", "frames=2"], "give one budget"),
        (["minutes=0"], "minutes=0 must be a number above 0, for example 20"),
        (["minutes=soon"], "minutes=soon must be a number above 0"),
        (["minutes=nan"], "minutes=nan must be a number above 0"),
        (["minutes=1", "margin=-0.1"], "margin=-0.1 must be a number above 0, for example 0.05"),
        (["minutes=1", "margin=0"], "margin=0 must be"),
        (["minutes=1", "candidates=[nops]"], "need two or more different variants"),
        (["minutes=1", "candidates=[nops,nops]"], "need two or more different variants"),
        (["minutes=1", "candidates=[]"], "need two or more different variants"),
        (["minutes=1", "candidates=[nops,fusp]"], "unknown candidate 'fusp'; did you mean 'fups'"),
        (["minutes=1", "seed=3"], "seed=3 cannot be given to advise: seeds are 0, 1, 2"),
        (["minutes=1", "-m"], "-m cannot be given to advise"),
        (["minutes=1", "variant=nops"], "name the variants to compare with candidates="),
    ],
)
def test_what_cannot_work_is_refused(words, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parsed(words)
