"""The report as a whole: one HTML file, and its figures, tables and results as files."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmarl_hyper.report.comparability import differences, warnings
from benchmarl_hyper.report.output import figures
from benchmarl_hyper.report.output.marl_eval import marl_eval
from benchmarl_hyper.report.output.tables import to_csv, to_latex, to_markdown
from benchmarl_hyper.report.reading.archives import unpacked
from benchmarl_hyper.report.reading.diagnostics import read_all
from benchmarl_hyper.report.reading.results import OWN_EXPORT, Run, read
from benchmarl_hyper.report.sections.all_tasks import overall_section
from benchmarl_hyper.report.sections.appendix import appendix_section, cost_section, dropped_table
from benchmarl_hyper.report.sections.base import Section
from benchmarl_hyper.report.sections.baseline import paired_section
from benchmarl_hyper.report.sections.diagnostics import measurements_section
from benchmarl_hyper.report.sections.returns import curves_section, extras_section, scores_section
from benchmarl_hyper.report.sections.summary import headline
from benchmarl_hyper.report.statistics.across_tasks import aggregate
from benchmarl_hyper.report.statistics.scores import Groups, grouped, learning_curves


def read_bounds(path: Path) -> dict[str, tuple[float, float]]:
    """Read the bounds of tasks from a YAML file with lines such as ``task: [low, high]``.

    Raises:
        ValueError: if the file cannot be read or has another form.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"bounds cannot be read from {path}: {error}") from error
    form = "write a line per task, such as `vmas/balance: [0, 100]`"
    if not isinstance(content, dict):
        raise ValueError(f"bounds in {path} are {content!r}; {form}")
    bounds = {}
    for task, ends in content.items():
        try:
            low, high = map(float, ends)
        except (TypeError, ValueError) as error:
            raise ValueError(f"bounds of {task} in {path} are {ends!r}; {form}") from error
        bounds[str(task)] = (low, high)
    return bounds


def write(
    folders: Sequence[Path],
    out: Path | None = None,
    bounds: Path | None = None,
    baseline: str | None = None,
) -> Path:
    """Read runs and write their report.

    Args:
        folders: run folders, folders of sweeps, folders above them, or archives of such folders.
        out: the folder to write; None for ``report`` in the first of the folders.
        bounds: a YAML file with the returns of each task that count as 0 and 1; None to derive
            them from the runs.
        baseline: the label to compare the others with, seed by seed; None for no comparison.

    Returns:
        The path of the HTML file.

    Raises:
        ValueError: if ``results.read``, ``read_bounds`` or ``paired_differences`` refuses its
            argument.
    """
    results = read(folders)
    given = read_bounds(Path(bounds)) if bounds else {}
    out = Path(out) if out else unpacked(folders)[0] / "report"
    groups = grouped(results.runs)
    looks = figures.styles(sorted({run.label for run in results.runs}))
    unusable = len(results.dropped)
    recorded, problems = read_all(results.runs)
    results = results._replace(dropped=[*results.dropped, *problems])
    found = differences(results.runs)
    exported, notes = marl_eval(groups)
    sections = [
        curves_section(groups, looks),
        scores_section(groups, looks, unusable),
        paired_section(groups, looks, baseline) if baseline else None,
        overall_section(aggregate(groups, given), len(groups), looks),
        measurements_section(groups, recorded, looks),
        extras_section(groups, looks),
        cost_section(groups),
        appendix_section(results, groups, found, _command(folders, out, bounds, baseline)),
    ]
    kept = [section for section in sections if section is not None]
    images = _write_files(out, kept)
    _write(out / OWN_EXPORT, json.dumps(exported))
    _write(out / "tables" / "per_run.csv", _per_run(results.runs))
    _write(out / "tables" / "learning_curves.csv", _curve_points(groups))
    page = (
        _environment()
        .get_template("report.html")
        .render(
            **headline(results, groups),
            title=_title(groups),
            colours={label: look.colour for label, look in looks.items()},
            warnings=[*warnings(groups, found), *_unused(given, groups)],
            dropped=dropped_table(results.dropped),
            sections=kept,
            images=images,
            left_out=notes,
            made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
    _write(out / "report.html", page)
    return out / "report.html"


def _title(groups: Groups) -> str:
    labels = {label for names in groups.values() for label in names}
    where = next(iter(groups)) if len(groups) == 1 else f"{len(groups)} tasks"
    return f"Comparison of {len(labels)} label{'s' * (len(labels) != 1)} on {where}"


def _command(folders: Sequence[Path], out: Path, bounds: Path | None, baseline: str | None) -> str:
    given = {"--out": out, "--bounds": bounds, "--baseline": baseline}
    options = [word for name, value in given.items() if value for word in (name, str(value))]
    words = [*map(str, folders), *options]
    return shlex.join(["python", "-m", "benchmarl_hyper.report", *words])


def _unused(bounds: Mapping[str, Any], groups: Groups) -> list[str]:
    return [
        f"Bounds of {task} are not used, because there are no runs on it."
        for task in bounds
        if task not in groups
    ]


def _write_files(out: Path, sections: Sequence[Section]) -> dict[str, str]:
    """Write figures and tables, and return each figure as base64, by name."""
    images = {}
    for section in sections:
        for picture in section.pictures:
            image = figures.png(picture.figure)
            images[picture.name] = base64.b64encode(image).decode()
            _write(out / "figures" / f"{picture.name}.png", image)
            _write(out / "figures" / f"{picture.name}.pdf", figures.pdf(picture.figure))
        for one in (*section.tables, *section.folded):
            _write(out / "tables" / f"{one.name}.csv", to_csv(one.header, one.rows))
            _write(out / "tables" / f"{one.name}.tex", to_latex(one))
            _write(out / "tables" / f"{one.name}.md", to_markdown(one))
    return images


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _per_run(runs: Sequence[Run]) -> str:
    header = ["task", "label", "seed", "final_return", "absolute_return", "frames", "folder"]
    rows = [
        [
            r.task,
            r.label,
            r.seed,
            r.final_return,
            r.absolute_return,
            r.evaluations[-1].frames,
            r.folder,
        ]
        for r in runs
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


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("benchmarl_hyper.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
