"""The answer as the first section of the report."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarl_hyper.advise.answer import HEADER, remarks, rows, sentence
from benchmarl_hyper.advise.decisions import Verdict
from benchmarl_hyper.advise.outcomes import Outcome
from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.sections.base import Section

CAPTION = (
    "Return of the last evaluation, mean over seeds; its difference to that of the best candidate "
    "over common seeds, with an interval that stays valid although decisions were made after each "
    "round of seeds; trainable parameters of policy and critic; time of a run."
)


def answer_section(
    found: Verdict, outcomes: Mapping[str, Outcome], random_play: float, frames: int
) -> Section:
    """Show the answer.

    Args:
        found: what is known.
        outcomes: the runs of the candidates.
        random_play: the return of random actions.
        frames: the frames of a run.
    """
    text = [sentence(found, outcomes), *remarks(found, outcomes, random_play, frames)]
    table = Table("advise", CAPTION, HEADER, rows(found, outcomes))
    return Section("How much should these agents share?", text, tables=[table])
