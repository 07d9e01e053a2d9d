"""The section that compares labels with a baseline, seed by seed.

A seed sets environments and evaluations, and so moves the returns of all labels together. This
effect cancels in the differences between runs with the same seed. It does not cancel in the means
of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarl_hyper.report.output.figures import Style
from benchmarl_hyper.report.output.tables import apart_from_0, overview
from benchmarl_hyper.report.sections.base import MARKS, OVER_SEEDS, Section, dots, protocol
from benchmarl_hyper.report.statistics.paired import paired_differences
from benchmarl_hyper.report.statistics.scores import Groups


def paired_section(groups: Groups, looks: Mapping[str, Style], baseline: str) -> Section:
    """Show the differences from the baseline as a figure and as a table."""
    title, name = f"Compared with {baseline}", "paired_differences"
    differences = paired_differences(groups, baseline)
    if not differences:
        return Section(title, [f"No label has a task and a seed in common with {baseline}."])
    what = f"Return of the last evaluation minus that of {baseline} with the same seed"
    drawn = f"{what}; {protocol(groups)}. {MARKS} Grey line: no difference."
    pictures = dots(name, drawn, differences, looks, origin=0)
    caption = (
        f"{what}: {OVER_SEEDS}; {protocol(groups)}. Bold: the interval does not include 0. "
        "Intervals are not corrected for the number of comparisons."
    )
    table = overview(name, caption, differences, bold=apart_from_0)
    return Section(title, (), list(pictures), [table])
