"""The sections on cost and on how results came about: runs, settings, machines, definitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarl_hyper.report.comparability import Difference, common, versions
from benchmarl_hyper.report.output.tables import Table
from benchmarl_hyper.report.output.text import listed
from benchmarl_hyper.report.reading.results import Dropped, Results, Run
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


def cost_section(groups: Groups) -> Section:
    """Show wall time and parameters by task and label, as far as ``run.json`` has them."""
    rows = [
        [task, label, str(len(runs)), *_cost(runs)]
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


def _cost(runs: Sequence[Run]) -> list[str]:
    known = [run for run in runs if run.record.get("wall_time_s")]
    if not known:
        return ["-"] * 6
    times = [run.record["wall_time_s"] for run in known]
    speeds = [run.evaluations[-1].frames / run.record["wall_time_s"] for run in known]
    return [
        duration(float(np.mean(times))),
        f"{duration(min(times))} to {duration(max(times))}",
        f"{np.mean(speeds):,.0f}",
        *(_parameters(known, part) for part in ("policy", "critic")),
        listed(sorted({str(_machine(run, "device")) for run in known})),
    ]


def _parameters(runs: Sequence[Run], part: str) -> str:
    counts = {sum((run.record.get("parameters") or {}).get(part, {}).values()) for run in runs}
    return " or ".join(f"{count:,}" if count else "-" for count in sorted(counts))


def appendix_section(
    results: Results, groups: Groups, differences: Iterable[Difference], command: str
) -> Section:
    """Show what a reader needs to judge the comparison and to repeat it."""
    runs = results.runs
    text = ["This command writes the report again:", command]
    folded = [
        _run_table(groups),
        _difference_table(differences),
        _settings_table(runs),
        _count_table("versions", "Versions, and how many runs used each.", _versions(runs)),
        _count_table("machines", "Machines, and how many runs each executed.", _machines(runs)),
        _count_table(
            "commits", "Git commits of the folders in which runs were started.", _commits(runs)
        ),
        _folder_table(runs),
        Table(
            "definitions",
            "Definitions of the statistics, with their sources.",
            ["statistic", "definition", "source"],
            DEFINITIONS,
        ),
    ]
    return Section("Appendix", text, folded=[table for table in folded if table.rows])


def dropped_table(dropped: Sequence[Dropped]) -> Table:
    """Return the table of files that the report does not use."""
    rows = [[str(path), reason] for path, reason in dropped]
    return Table("dropped", "Files that are not in this report.", ["file", "reason"], rows)


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
                    ", ".join(run.seed for run in runs),
                    listed(_distinct(len(run.evaluations) for run in runs)),
                    listed(_distinct(len(one.metrics["return"]) for one in last)),
                    listed(_distinct(one.frames for one in last)),
                    "yes" if runs[0].record else "no",
                ]
            )
    header = ["task", "label", "n", "seeds", "evaluations", "episodes each", "frames", "run folder"]
    return Table("runs", "Runs, seeds and evaluations.", header, rows)


def _distinct(values: Iterable[int]) -> list[str]:
    return [f"{value:,}" for value in sorted(set(values))]


def _difference_table(differences: Iterable[Difference]) -> Table:
    rows = [
        [
            difference.key,
            "; ".join(f"{value} in {listed(names)}" for value, names in difference.values.items()),
            listed(difference.tasks),
            "yes" if difference.flagged else "by design",
        ]
        for difference in sorted(differences, key=lambda one: (not one.flagged, one.key))
    ]
    header = ["setting", "values", "tasks", "beyond the label"]
    return Table("differences", "Settings that differ between runs of the same task.", header, rows)


def _settings_table(runs: Sequence[Run]) -> Table:
    rows = [[key, value] for key, value in common(runs).items()]
    return Table("settings", "Settings that are the same in all runs.", ["setting", "value"], rows)


def _count_table(name: str, caption: str, counts: Counter[tuple[str, str]]) -> Table:
    rows = [[*key, str(n)] for key, n in sorted(counts.items())]
    return Table(name, caption, ["what", "value", "runs"], rows)


def _versions(runs: Sequence[Run]) -> Counter[tuple[str, str]]:
    found = versions(runs)
    return Counter({(key, value): n for key, c in found.items() for value, n in c.items()})


def _machine(run: Run, key: str) -> str:
    return str((run.record.get("machine") or {}).get(key, "-"))


def _machines(runs: Sequence[Run]) -> Counter[tuple[str, str]]:
    return Counter(
        (key, str(value))
        for run in runs
        for key, value in (run.record.get("machine") or {}).items()
    )


def _commits(runs: Sequence[Run]) -> Counter[tuple[str, str]]:
    return Counter(
        ("commit", str(run.record.get("commit") or "none")) for run in runs if run.record
    )


def _folder_table(runs: Sequence[Run]) -> Table:
    rows = [[run.task, run.label, run.seed, str(run.folder)] for run in runs]
    return Table("folders", "Run folders.", ["task", "label", "seed", "folder"], rows)
