"""The sections on cost and on how results came about: runs, settings, machines, definitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarl_hyper.report.comparability import Difference, common, versions
from benchmarl_hyper.report.output.places import Places
from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.output.text import listed
from benchmarl_hyper.report.reading.run import Dropped, Results, Run
from benchmarl_hyper.report.sections.base import Section
from benchmarl_hyper.report.statistics.scores import Groups
from benchmarl_hyper.terminal import duration

AGARWAL = "Agarwal et al. 2021, arXiv 2108.13264"
GORSANE = "Gorsane et al. 2022, arXiv 2209.10485"
DEFINITIONS = [
    ["final return", "Mean return over the episodes of a run's last evaluation.", GORSANE],
    [
        "absolute metric",
        "Mean return of fresh episodes, measured after training with the policy of the evaluation "
        "that had the highest mean. Only our runs have it. In BenchMARL's files, the entry of that "
        "name is the best single episode, which is biased upwards.",
        GORSANE,
    ],
    [
        "interval of a mean over seeds",
        "Student's t: the mean plus and minus t(0.975, n-1) s / sqrt(n), where s is the standard "
        "deviation over n seeds. No interval for fewer than 3 seeds.",
        "textbook",
    ],
    [
        "stratified bootstrap",
        "Runs are resampled with replacement within each task. The interval is from the 2.5th to "
        "the 97.5th percentile. Generator and seed are fixed, so the same runs give the same "
        "interval.",
        AGARWAL,
    ],
    ["normalised score", "(score - low) / (high - low) with the task's bounds.", AGARWAL],
    ["IQM", "Interquartile mean: mean of the middle half of all runs of all tasks.", AGARWAL],
    ["mean, median", "Mean and median over tasks of each task's mean over seeds.", AGARWAL],
    ["optimality gap", "1 minus the mean of min(score, 1).", AGARWAL],
    [
        "performance profile",
        "Share of runs whose score is above a threshold. All tasks have the same weight.",
        AGARWAL,
    ],
    [
        "probability of improvement",
        "Share of pairs of runs in which the first run has the higher score, averaged over tasks. "
        "A tie counts half.",
        AGARWAL,
    ],
    ["sample efficiency", "IQM of the normalised returns of evaluations during training.", AGARWAL],
]


def cost_section(groups: Groups, places: Places) -> Section:
    """Show wall time and parameters by task and label, as far as ``run.json`` has them."""
    rows = [
        [task, label, str(len(runs)), *_cost(runs, places)]
        for task, labels in groups.items()
        for label, runs in labels.items()
    ]
    header = ["task", "label", "n", "wall time", "range", "frames per second"]
    header += ["policy parameters", "critic parameters", "device"]
    caption = (
        "Wall time of training with its evaluations: mean over the runs whose time is known, and "
        "range. Runs that are executed at the same time slow each other down. Parameters: the "
        "trainable ones of all groups together. Dash: unknown, as for runs without a run folder."
    )
    return Section("Cost", (), (), [Table("cost", caption, header, rows)])


def _cost(runs: Sequence[Run], places: Places) -> list[str]:
    known = [run for run in runs if run.record.get("wall_time_s")]
    if not known:
        return ["-"] * 6
    times = [float(run.record["wall_time_s"]) for run in known]
    speeds = [run.evaluations[-1].frames / time for run, time in zip(known, times, strict=True)]
    return [
        duration(float(np.mean(times))),
        f"{duration(min(times))} to {duration(max(times))}",
        f"{np.mean(speeds):,.0f}",
        *(_parameters(known, part) for part in ("policy", "critic")),
        listed(sorted({_machine(run, places).get("device", "-") for run in known})),
    ]


def _parameters(runs: Sequence[Run], part: str) -> str:
    by_group = [(run.record.get("parameters") or {}).get(part, {}) for run in runs]
    counts = sorted({int(sum(counts.values())) for counts in by_group})
    return listed([f"{n:,}" if n else "-" for n in counts], separator=" or ")


def appendix_section(
    results: Results,
    groups: Groups,
    differences: Iterable[Difference],
    command: str,
    places: Places,
) -> Section:
    """Show what a reader needs to judge the comparison and to repeat it.

    Args:
        results: the runs.
        groups: the same runs by task and label.
        differences: the settings that differ between them.
        command: the command that writes the report.
        places: what the report tells of machines.
    """
    runs = results.runs
    text = ["This command writes the report again:", command]
    folded = [
        _run_table(groups),
        _difference_table(differences, places),
        _settings_table(runs, places),
        _count_table("versions", "How many runs used each version.", _versions(runs)),
        _count_table("machines", "How many runs each machine executed.", _machines(runs, places)),
        _count_table(
            "commits", "Git commits of the folders in which runs were started.", _commits(runs)
        ),
        _folder_table(runs, places),
        Table(
            "definitions",
            "What the statistics of this report are, with their sources.",
            ["statistic", "definition", "source"],
            DEFINITIONS,
            title="Definitions",
        ),
    ]
    return Section("Appendix", text, folded=[table for table in folded if table.rows])


def dropped_table(dropped: Sequence[Dropped], places: Places) -> Table:
    """Return the table of files that the report does not use, or uses in part."""
    rows = [
        [places.of(one.place), places.text(one.reason), "no" if one.whole else "in part"]
        for one in dropped
    ]
    caption = "Files that are not in this report, or only in part."
    return Table("dropped", caption, ["file", "reason", "used"], rows)


def _run_table(groups: Groups) -> Table:
    rows = []
    for task, labels in groups.items():
        for label, runs in labels.items():
            last = [run.evaluations[-1] for run in runs]
            rows.append(
                [
                    task,
                    label,
                    str(len(runs)),
                    listed([run.seed for run in runs], 50),
                    listed(_distinct(len(run.evaluations) for run in runs)),
                    listed(_distinct(len(one.metrics["return"]) for one in last)),
                    listed(_distinct(one.frames for one in last)),
                    "yes" if runs[0].record else "no",
                ]
            )
    header = ["task", "label", "n", "seeds", "evaluations", "episodes each", "frames", "run folder"]
    caption = "How many runs there are, and how often and how long each was evaluated."
    return Table("runs", caption, header, rows, title="Runs, seeds and evaluations")


def _distinct(values: Iterable[int]) -> list[str]:
    return [f"{value:,}" for value in sorted(set(values))]


def _difference_table(differences: Iterable[Difference], places: Places) -> Table:
    rows = [
        [
            difference.key,
            listed(
                [
                    f"{places.setting(difference.key, value)} in {listed(names)}"
                    for value, names in difference.values.items()
                ],
                12,
                "; ",
            ),
            listed(difference.tasks),
            "yes" if difference.flagged else "by design",
        ]
        for difference in sorted(differences, key=lambda one: (not one.flagged, one.key))
    ]
    header = ["setting", "values", "tasks", "beyond the label"]
    caption = "Settings that differ between runs of the same task, and whether the label says so."
    return Table("differences", caption, header, rows, title="Settings that differ")


def _settings_table(runs: Sequence[Run], places: Places) -> Table:
    rows = [[key, places.setting(key, value)] for key, value in common(runs).items()]
    caption = "Settings that are the same in all runs."
    return Table("settings", caption, ["setting", "value"], rows, title="Settings in common")


def _count_table(name: str, caption: str, counts: Counter[tuple[str, str]]) -> Table:
    rows = [[*key, str(n)] for key, n in sorted(counts.items())]
    return Table(name, caption, ["what", "value", "runs"], rows, title=name.capitalize())


def _versions(runs: Sequence[Run]) -> Counter[tuple[str, str]]:
    found = versions(runs)
    return Counter({(key, value): n for key, c in found.items() for value, n in c.items()})


def _machine(run: Run, places: Places) -> dict[str, str]:
    return places.machine(run.record.get("machine") or {})


def _machines(runs: Sequence[Run], places: Places) -> Counter[tuple[str, str]]:
    return Counter(fact for run in runs for fact in _machine(run, places).items())


def _commits(runs: Sequence[Run]) -> Counter[tuple[str, str]]:
    return Counter(
        ("commit", str(run.record.get("commit") or "none")) for run in runs if run.record
    )


def _folder_table(runs: Sequence[Run], places: Places) -> Table:
    rows = [[run.task, run.label, run.seed, places.of(run.place)] for run in runs]
    header = ["task", "label", "seed", "folder"]
    return Table("folders", "Where the runs were found.", header, rows, title="Run folders")
