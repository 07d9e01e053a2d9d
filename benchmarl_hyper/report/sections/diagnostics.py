"""The section on what callbacks measured: diversity, gradients and embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from benchmarl_hyper.report.output.figures import Panel, Style, curve_figure
from benchmarl_hyper.report.output.matrix_figures import Map, map_figure, scatter_figure
from benchmarl_hyper.report.output.tables import Table, overview
from benchmarl_hyper.report.output.text import distinct, interval, listed, shortened, slug
from benchmarl_hyper.report.reading.run import Key
from benchmarl_hyper.report.sections.base import INTERVAL, OVER_SEEDS, Picture, Section, pages
from benchmarl_hyper.report.statistics.diagnostics import (
    Summary,
    last_matrices,
    scalar_curves,
    scalar_summaries,
)
from benchmarl_hyper.report.statistics.scores import Band, Groups, Score

MOST_MAPS, MOST_QUANTITIES = 24, 40
QUANTITIES = {
    "snd": "SND, Wasserstein",
    "snd_loc": "SND, means alone",
    "snd_js": "SND, Jensen-Shannon",
    "snd_tvd": "SND, total variation",
    "embedding_distance": "embeddings, cosine distance",
    "step_common": "change of weights, together",
    "step_own": "change of weights, apart",
    "gradient_conflict": "gradients, mean cosine",
    "gradient_conflict_share": "share of conflicting pairs",
    "gradient_cosine": "gradients, cosine",
    "gradient_variance_coordinates": "gradient variance, coordinates",
    "gradient_variance_minibatches": "gradient variance, minibatches",
    "gradient_norm_generated": "gradient norm, generated weights",
    "gradient_norm_parameters": "gradient norm, parameters",
}
FAMILIES = {
    "diversity": (
        "How differently agents act, and how far apart their embeddings are",
        ("snd", "embedding"),
    ),
    "steps": ("How far the weights that agents run on moved between evaluations", ("step",)),
    "gradients": ("Conflict, variance and norms of the agents' policy gradients", ("gradient",)),
}


def measurements_section(groups: Groups, looks: Mapping[str, Style]) -> Section | None:
    """Show scalars as curves and tables, and the last matrices as maps.

    Args:
        groups: runs by task and label.
        looks: a style for every label.

    Returns:
        The section; None if nothing was recorded.
    """
    curves, summaries = scalar_curves(groups), scalar_summaries(groups)
    matrices = last_matrices(groups)
    if not (curves or summaries or matrices):
        return None
    every = sorted({key for _, key in curves} | {key for _, _, key in summaries})
    known = sorted(every, key=lambda key: key[1].removesuffix("_fixed") not in QUANTITIES)
    files = _files(known[:MOST_QUANTITIES])
    tasks = {task for task, _ in curves}
    pictures: list[Picture] = []
    for family, (what, prefixes) in FAMILIES.items():
        keys = [key for key in sorted(files) if key[1].startswith(prefixes)]
        shown = {family: (what, keys)}
        if len(tasks) > 1:  # a figure per quantity, with a panel per task
            shown = {files[key]: (_sentence(quantity(key)), [key]) for key in keys}
        for name, (subject, of_figure) in shown.items():
            panels = [
                _panel(task, key, lines, several=len(tasks) > 1)
                for key in of_figure
                for (task, its), lines in curves.items()
                if its == key
            ]
            caption = (
                f"{subject}: mean over seeds. Shaded: pointwise {INTERVAL}. n is the number of "
                "seeds."
            )
            pictures += pages(name, caption, panels, partial(curve_figure, looks=looks))
    pictures += _maps(matrices)
    tables = [*_measured(summaries, files), _table(summaries)] if summaries else []
    without = [quantity(key) for key in known[MOST_QUANTITIES:]]
    text = [f"Without figures and tables of their own: {listed(without)}."] if without else []
    return Section("What sharing does", text, pictures, folded=tables, names_by_users=True)


def _files(keys: list[Key]) -> dict[Key, str]:
    """Return names of files for quantities, which users name as they like."""
    taken: set[str] = set()
    return {key: distinct(slug("_".join(key).removeprefix("agents_")), taken) for key in keys}


def _measured(
    summaries: Mapping[tuple[str, str, Key], Summary], files: Mapping[Key, str]
) -> Iterator[Table]:
    """Yield a table per quantity that has a file.

    It shows the mean over the run for a quantity of gradients or steps, and the last value for
    another one.
    """
    for key in sorted({key for _, _, key in summaries if key in files}):
        averaged = key[1].startswith(FAMILIES["gradients"][1] + FAMILIES["steps"][1])
        scores: dict[str, dict[str, Score]] = {}
        for (task, label, its), both in summaries.items():
            if its == key:
                scores.setdefault(task, {})[label] = both.mean if averaged else both.last
        when = "mean over each run" if averaged else "last value of each run"
        caption = f"{_sentence(quantity(key))} ({when}): {OVER_SEEDS}."
        yield overview(files[key], caption, scores, digits=3, title=_sentence(quantity(key)))


def _table(summaries: Mapping[tuple[str, str, Key], Summary]) -> Table:
    header = ["task", "label", "quantity", "n"]
    header += ["last", "95% interval", "mean over the run", "95% interval"]
    rows = [
        [task, label, quantity(key), str(len(both.last.seeds)), *_cells(both.last, both.mean)]
        for (task, label, key), both in summaries.items()
    ]
    caption = (
        f"All measured quantities, as the last value of each run and as the mean over the run: "
        f"{OVER_SEEDS}."
    )
    return Table("measurements", caption, header, rows, title="All measured quantities")


def _cells(*scores: Score) -> Iterator[str]:
    for score in scores:
        yield f"{score.mean:.3g}"
        yield interval(score.interval, "{:.3g}".format)


def _panel(task: str, key: Key, lines: Mapping[str, Band], several: bool) -> Panel:
    if several:
        return Panel(task, "frames", quantity(key), lines)
    return Panel(quantity(key), "frames", "", lines)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def quantity(key: Key) -> str:
    """Return a quantity in words, with its group unless that is ``agents``.

    Args:
        key: the group and the name under which it was recorded.
    """
    group, name = key
    base = name.removesuffix("_fixed")
    text = QUANTITIES.get(base, base.replace("_", " ")) + (", fixed set" if base != name else "")
    return text if group == "agents" else f"{text} ({group})"


def _maps(matrices: Mapping[tuple[str, Key], Mapping[str, np.ndarray]]) -> Iterator[Picture]:
    names = sorted({key[1] for _, key in matrices if key[1].startswith("snd")})
    for name in names[:MOST_QUANTITIES]:
        maps = _selected(matrices, name)
        top = max((float(np.nanmax(one.matrix, initial=0)) for one in maps), default=0) or 1.0
        caption = _caption(
            f"Distances between agents' behaviours ({QUANTITIES.get(name, name)})", maps
        )
        draw = partial(map_figure, limits=(0, top), colours="viridis", name="distance")
        yield from pages(f"{slug(name)}_matrices", caption, maps[:MOST_MAPS], draw)
    if cosines := _selected(matrices, "gradient_cosine"):
        caption = _caption(
            "Cosines between agents' policy gradients (negative values are conflict)", cosines
        )
        draw = partial(map_figure, limits=(-1, 1), colours="PuOr", name="cosine")
        yield from pages("gradient_matrices", caption, cosines[:MOST_MAPS], draw)
    if points := _selected(matrices, "embedding_projection"):
        caption = _caption("Agents' embeddings, projected onto their principal axes", points)
        yield from pages("embeddings", caption, points[:MOST_MAPS], scatter_figure)


def _selected(matrices: Mapping[tuple[str, Key], Mapping[str, np.ndarray]], name: str) -> list[Map]:
    chosen = {key: maps for key, maps in matrices.items() if key[1][1] == name}
    tasks = {task for task, _ in chosen}
    groups = {group for _, (group, _) in chosen}
    return [
        Map(_title(task if len(tasks) > 1 else "", label, group if len(groups) > 1 else ""), matrix)
        for (task, (group, _)), maps in chosen.items()
        for label, matrix in maps.items()
    ]


def _title(*lines: str) -> str:
    return "\n".join(shortened(line, 25) for line in lines if line)


def _caption(what: str, maps: list[Map]) -> str:
    shown = f" The first {MOST_MAPS} of {len(maps)} are shown." if len(maps) > MOST_MAPS else ""
    return (
        f"{what}, as last measured in the first seed of each label (n = 1). Agents take different "
        f"roles in different seeds, so a mean over seeds would hide them.{shown}"
    )
