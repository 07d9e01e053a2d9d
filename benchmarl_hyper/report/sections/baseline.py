"""How much more return than a baseline, seed by seed.

Seeds set environments and evaluations of all labels alike, so what they move for all labels
together cancels in the differences, and not in the means of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarl_hyper.report.output.figures import Style
from benchmarl_hyper.report.output.tables import apart_from_0, overview
from benchmarl_hyper.report.sections.base import INTERVAL, Section, dots, protocol
from benchmarl_hyper.report.statistics.paired import paired_differences
from benchmarl_hyper.report.statistics.scores import Groups


def paired_section(groups: Groups, looks: Mapping[str, Style], baseline: str) -> Section:
    """Differences to the baseline as dots and as a table."""
    title, name = f"Against {baseline}", "paired_differences"
    differences = paired_differences(groups, baseline)
    if not differences:
        return Section(title, [f"No label has a task and a seed in common with {baseline}."])
    what = f"Return of the last evaluation, minus that of {baseline} with the same seed"
    drawn = f"{what}: mean over seeds (large), {INTERVAL} (bar), single seeds (small dots)"
    pictures = dots(name, f"{drawn}; {protocol(groups)}.", differences, looks, origin=0)
    caption = (
        f"{what}: mean over n seeds, and {INTERVAL} (none below 3 seeds); {protocol(groups)}. "
        "Bold: the interval leaves out 0. It is not corrected for the number of comparisons."
    )
    table = overview(name, caption, differences, bold=apart_from_0)
    return Section(title, (), list(pictures), [table])
