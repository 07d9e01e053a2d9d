"""How much more return than a baseline, seed by seed.

Seeds set environments and evaluations of all labels alike, so what they move for all labels
together cancels in the differences, and not in the means of the labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarl_hyper.report.output.figures import Style
from benchmarl_hyper.report.overview import apart_from_0, overview
from benchmarl_hyper.report.reading.results import Run
from benchmarl_hyper.report.sections.returns import INTERVAL, Section, dots, protocol
from benchmarl_hyper.report.statistics.scores import Groups, Score, score


def paired_differences(groups: Groups, baseline: str) -> dict[str, dict[str, Score]]:
    """Final returns minus those of the baseline's runs with the same seeds, by task and label.

    Tasks without the baseline are left out, and labels without a seed in common with it.

    Raises:
        ValueError: if no run has the label.
    """
    labels = sorted({label for names in groups.values() for label in names})
    if baseline not in labels:
        raise ValueError(
            f"baseline {baseline!r} is no label of these runs; choose one of {', '.join(labels)}"
        )
    by_task = {
        task: dict(_differences(names, baseline))
        for task, names in groups.items()
        if baseline in names
    }
    return {task: scores for task, scores in by_task.items() if scores}


def _differences(names: Mapping[str, Sequence[Run]], baseline: str) -> Iterator[tuple[str, Score]]:
    returns = {run.seed: run.final_return for run in names[baseline]}
    for label, runs in names.items():
        values = [run.final_return - returns[run.seed] for run in runs if run.seed in returns]
        if values and label != baseline:
            yield label, score(values)


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
