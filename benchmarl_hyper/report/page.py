"""The report as a whole: one HTML file, and its figures, tables and results as files."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmarl_hyper.report.comparability import differences, warnings
from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output.files import OutputFolder
from benchmarl_hyper.report.output.images import images
from benchmarl_hyper.report.output.marl_eval import marl_eval
from benchmarl_hyper.report.output.places import Places
from benchmarl_hyper.report.output.tables import Table, to_csv, to_latex, to_markdown
from benchmarl_hyper.report.output.text import count, distinct, printable
from benchmarl_hyper.report.reading.bounds import read_bounds
from benchmarl_hyper.report.reading.results import OWN_EXPORT, read
from benchmarl_hyper.report.reading.run import Results, Run
from benchmarl_hyper.report.sections.all_tasks import overall_section
from benchmarl_hyper.report.sections.appendix import appendix_section, cost_section, dropped_table
from benchmarl_hyper.report.sections.base import Section
from benchmarl_hyper.report.sections.baseline import paired_section
from benchmarl_hyper.report.sections.diagnostics import measurements_section
from benchmarl_hyper.report.sections.returns import curves_section, extras_section, scores_section
from benchmarl_hyper.report.sections.summary import headline
from benchmarl_hyper.report.statistics.across_tasks import aggregate
from benchmarl_hyper.report.statistics.scores import Groups, grouped, learning_curves

# What the page shows of longer lists and tables, whose files hold everything
MOST_LINES, MOST_ROWS = 50, 300
# Tables that no section has
PER_RUN, CURVE_POINTS, DROPPED = "per_run", "learning_curves", "dropped"


@dataclass(frozen=True)
class Options:
    """What a user asks of a report.

    Attributes:
        bounds: a YAML file with the returns of each task that count as 0 and 1; None to derive
            them from the runs.
        baseline: the label to compare the others with, seed by seed; None for no comparison.
        show_places: whether the report shows absolute paths and names of hosts.
    """

    bounds: Path | None = None
    baseline: str | None = None
    show_places: bool = False


def write(
    folders: Sequence[Path],
    out: Path | None = None,
    bounds: Path | None = None,
    baseline: str | None = None,
    show_places: bool = False,
) -> Path:
    """Read runs and write their report.

    Args:
        folders: run folders, folders of sweeps, folders above them, or archives of such folders.
        out: the folder to write; None for ``report`` in the first of the folders.
        bounds: a YAML file with the returns of each task that count as 0 and 1; None to derive
            them from the runs.
        baseline: the label to compare the others with, seed by seed; None for no comparison.
        show_places: whether the report shows absolute paths and names of hosts.

    Returns:
        The path of the HTML file.

    Raises:
        ValueError: if ``results.read`` or ``write_results`` refuses its argument.
    """
    options = Options(bounds and Path(bounds), baseline, show_places)
    return write_results(read(folders), folders, out, options)


def write_results(
    results: Results,
    folders: Sequence[Path],
    out: Path | None = None,
    options: Options | None = None,
    first: Sequence[Section] = (),
) -> Path:
    """Write the report of runs that were read.

    Args:
        results: the runs.
        folders: where they were read from.
        out: the folder to write; None for ``report`` in the first of ``folders``.
        options: what the report shows; None for the defaults.
        first: sections to show before those of the report.

    Returns:
        The path of the HTML file.

    Raises:
        ValueError: if ``read_bounds``, ``paired_differences`` or ``OutputFolder`` refuses its
            argument.
    """
    options = options or Options()
    bounds = read_bounds(options.bounds) if options.bounds else {}
    places, groups = Places(options.show_places), grouped(results.runs)
    looks = figures.styles(sorted({run.label for run in results.runs}))
    paired = paired_section(groups, looks, options.baseline) if options.baseline else None
    folder = OutputFolder(Path(out) if out else default_folder(folders[0]))
    found = differences(results.runs)
    command = _command(folders, out, options)
    sections = [
        *first,
        curves_section(groups, looks),
        scores_section(groups, looks, sum(one.whole for one in results.dropped)),
        paired,
        overall_section(aggregate(groups, bounds), len(groups), looks),
        measurements_section(groups, looks),
        extras_section(groups, looks),
        cost_section(groups, places),
        appendix_section(results, groups, found, command, places),
    ]
    kept = _named_apart([section for section in sections if section is not None])
    exported, notes = marl_eval(groups)
    folder.write(OWN_EXPORT, json.dumps(exported))
    folder.write(f"tables/{PER_RUN}.csv", _per_run(results.runs, places))
    folder.write(f"tables/{CURVE_POINTS}.csv", _curve_points(groups))
    dropped = dropped_table(results.dropped, places)
    if dropped.rows:
        folder.write(f"tables/{DROPPED}.csv", to_csv(dropped.header, dropped.rows))
    for section in kept:
        _write_tables(folder, [*section.tables, *section.folded])
    content = {
        **headline(results, groups),
        "title": _title(groups),
        "colours": {label: look.colour for label, look in looks.items()},
        "warnings": [*warnings(groups, found, places), *_unused(bounds, groups)],
        "dropped": dropped,
        "sections": kept,
        "images": _write_figures(folder, kept),
        "left_out": notes,
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "most_lines": MOST_LINES,
        "most_rows": MOST_ROWS,
    }
    return folder.write("report.html", _environment().get_template("report.html").render(content))


def default_folder(given: Path) -> Path:
    """Return the folder for a report if the user names none: ``report`` in a folder of runs.

    For an archive, that is the folder of its name next to it, which nobody unpacks it to.
    """
    given = Path(given)
    return (given.with_name(given.name.partition(".")[0]) if given.is_file() else given) / "report"


def _named_apart(sections: Sequence[Section]) -> list[Section]:
    """Give files distinct names, those of diagnostics last, whose names users choose."""
    pictures: set[str] = set()
    tables = {PER_RUN, CURVE_POINTS, DROPPED}
    renamed = list(sections)
    for index in sorted(range(len(sections)), key=lambda index: sections[index].names_by_users):
        section = sections[index]
        renamed[index] = replace(
            section,
            pictures=[replace(one, name=distinct(one.name, pictures)) for one in section.pictures],
            tables=[replace(one, name=distinct(one.name, tables)) for one in section.tables],
            folded=[replace(one, name=distinct(one.name, tables)) for one in section.folded],
        )
    return renamed


def _title(groups: Groups) -> str:
    labels = {label for names in groups.values() for label in names}
    where = next(iter(groups)) if len(groups) == 1 else f"{len(groups)} tasks"
    return f"Comparison of {count(len(labels), 'label')} on {where}"


def _command(folders: Sequence[Path], out: Path | None, options: Options) -> str:
    def shown(path: Path) -> str:
        return str(path) if options.show_places else Path(path).resolve().name

    given = {"--out": out and shown(out), "--bounds": options.bounds and shown(options.bounds)}
    given["--baseline"] = options.baseline
    words = [word for name, value in given.items() if value for word in (name, value)]
    words += ["--show-places"] * options.show_places
    command = ["python", "-m", "benchmarl_hyper.report", *map(shown, folders), *words]
    return shlex.join(command)


def _unused(bounds: Mapping[str, Any], groups: Groups) -> list[str]:
    return [
        f"Bounds of {task} are not used, because there are no runs on it."
        for task in bounds
        if task not in groups
    ]


class _Image(NamedTuple):
    """A figure as the page holds it: base64, and its width in pixels."""

    data: str
    width: int


def _write_figures(folder: OutputFolder, sections: Sequence[Section]) -> dict[str, _Image]:
    """Write figures, one at a time, and return them by name."""
    shown = {}
    for picture in (picture for section in sections for picture in section.pictures):
        made = images(picture.draw)
        folder.write(f"figures/{picture.name}.png", made.png)
        folder.write(f"figures/{picture.name}.pdf", made.pdf)
        data = base64.b64encode(made.png).decode("ascii")
        shown[picture.name] = _Image(data, int(100 * made.width))
    return shown


def _write_tables(folder: OutputFolder, tables: Sequence[Table]) -> None:
    for one in tables:
        folder.write(f"tables/{one.name}.csv", to_csv(one.header, one.rows))
        folder.write(f"tables/{one.name}.tex", to_latex(one))
        folder.write(f"tables/{one.name}.md", to_markdown(one))


def _per_run(runs: Sequence[Run], places: Places) -> str:
    header = ["task", "label", "seed", "final_return", "absolute_return", "frames", "folder"]
    rows = [
        [
            run.task,
            run.label,
            run.seed,
            run.final_return,
            run.absolute_return,
            run.evaluations[-1].frames,
            places.of(run.place),
        ]
        for run in runs
    ]
    return to_csv(header, rows)


def _curve_points(groups: Groups) -> str:
    rows = [
        [task, label, line.n, x, y, *ends]
        for task, lines in learning_curves(groups).items()
        for label, line in lines.items()
        for x, y, *ends in zip(line.x, line.y, *_ends(line), strict=True)
    ]
    return to_csv(["task", "label", "n", "frames", "mean", "low", "high"], rows)


def _ends(line: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    missing = [None] * len(line.x)
    return (missing, missing) if line.low is None else (line.low, line.high)


def _finalize(value: Any) -> Any:
    """Return what the page prints of a value; HTML of its own stays as it is."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("benchmarl_hyper.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
