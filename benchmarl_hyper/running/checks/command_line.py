"""What Hydra does not say about a command line: plugins, files of one name, unknown names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import benchmarl.conf
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.environments import task_config_registry
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, RangeSweep
from hydra.errors import HydraException

from benchmarl_hyper.conf_files import CONF, read_yaml
from benchmarl_hyper.running.plugins import import_plugins, plugins_in

SHIPPED = (CONF, Path(benchmarl.conf.__file__).parent)


def prepare(arguments: Sequence[str]) -> None:
    """Import the plugins that a command line names, and check what Hydra would not explain.

    Args:
        arguments: the command line, without the program.

    Raises:
        ValueError: if a plugin cannot be imported, if a file in ``--config-dir`` would not be read,
            if a task, scenario, model or algorithm is unknown, if a range is empty, if the plus
            of ``+suite`` is missing, or if ``--help`` is asked for no run.
    """
    given = get_args_parser().parse_known_intermixed_args(list(arguments))[0]
    try:
        overrides = OverridesParser.create().parse_overrides(given.overrides)
    except HydraException:
        return  # Hydra reports it
    import_plugins(plugins_in(overrides))
    folder = given.config_dir and Path(given.config_dir)
    problems = [
        *unknown_names(overrides, folder),
        *empty_ranges(overrides),
        *without_plus(overrides),
    ]
    if folder:
        problems += files_in_the_way(folder)
    chosen = {one.key_or_group for one in overrides}
    if given.help and not chosen & {"task", "suite", "scenario"}:
        problems.append(
            "--help lists all settings of a run, so it needs to know which one; add a task and an "
            "algorithm, or a suite: --help task=vmas/navigation algorithm=ippo, or --help "
            "+suite=quickstart"
        )
    if problems:
        raise ValueError("\n".join(problems))


def files_in_the_way(folder: Path, confs: Sequence[Path] = SHIPPED) -> Iterator[str]:
    """Yield what is wrong with the files of a user's folder.

    Files of BenchMARL and of this package come first on the search path, so that a user's folder
    cannot change them. A file with the name of one of them would therefore be ignored. A primary
    configuration, directly in the folder, is another program's: nobody chooses it here. A copy of a
    shipped file does no harm.

    Args:
        folder: the folder of ``--config-dir``.
        confs: the folders of shipped files that come first.
    """
    for conf in confs:
        for shipped in sorted(conf.glob("*/**/*.yaml")):
            file = folder / shipped.relative_to(conf)
            if file.is_file() and file.read_bytes() != shipped.read_bytes():
                owner = "benchmarl_hyper" if conf == CONF else "benchmarl"
                yield f"{file} is not read, since {owner} has a file of this name; rename it"
    groups = {path.name for conf in confs for path in conf.iterdir() if path.is_dir()}
    for file in sorted(file for group in groups for file in (folder / group).rglob("*.y*ml")):
        if file.suffix == ".yml":
            yield f"{file} is not read, since Hydra reads .yaml; rename it to {file.stem}.yaml"
            continue
        try:
            read_yaml(file)
        except ValueError as error:
            yield str(error)


def unknown_names(overrides: Sequence[Override], folder: Path | None) -> Iterator[str]:
    """Yield what is wrong with the names of tasks, scenarios, algorithms and models.

    Hydra would list the folders of tasks and scenarios only, and does not know of plugins.

    Args:
        overrides: the parsed command line.
        folder: the folder of ``--config-dir``; None if there is none.
    """
    known = {
        "task": set(task_config_registry),
        "algorithm": set(algorithm_config_registry) | files("algorithm", folder),
        "model": files("model", folder),
        "scenario": files("scenario", folder),
    }
    if any(each.key_or_group == "hydra.searchpath" for each in overrides):
        known = {"task": known["task"]}
    for override in overrides:
        group = override.key_or_group
        for name in _names(override) if group in known else []:
            if name not in known[group]:
                near = get_close_matches(name, known[group], n=3, cutoff=0.5)
                yield (
                    f"unknown {group} '{name}'; similar names: {', '.join(near) or 'none'}; the "
                    f"known ones are {', '.join(sorted(known[group]))}. For one of your own, give "
                    f"the folder that holds {group}/{name}.yaml with --config-dir, and the module "
                    "that registers it, if there is one, with plugins=[my_project.tasks]"
                )


def empty_ranges(overrides: Sequence[Override]) -> Iterator[str]:
    """Yield the sweeps over ranges that hold nothing: no run would start."""
    for override in overrides:
        value = override.value()
        if isinstance(value, RangeSweep) and not list(value.range()):
            line = override.input_line
            yield f"{line}: this range is empty; range(5) is 0 to 4, and range(1,6) is 1 to 5"


def without_plus(overrides: Sequence[Override]) -> Iterator[str]:
    """Yield a suite, or a scenario beside no suite, that is not added with a plus."""
    with_suite = any(one.key_or_group == "suite" for one in overrides)
    for override in overrides:
        group, line = override.key_or_group, override.input_line or ""
        alone = group == "suite" or (group == "scenario" and not with_suite)
        if alone and not line.startswith(("+", "~")):
            yield f"{line}: add a plus, since no {group} is chosen yet: +{line}"


def files(group: str, folder: Path | None) -> set[str]:
    """Return the names of the YAML files in a configuration group, here and in a user's folder."""
    roots = [conf / group for conf in (*SHIPPED, *([folder] if folder else []))]
    return {
        path.relative_to(root).with_suffix("").as_posix()
        for root in roots
        for path in root.rglob("*.yaml")
    }


def _names(override: Override) -> list[str]:
    if override.is_sweep_override() and isinstance(override.value(), Glob):
        return []  # it matches files that are there
    if override.is_discrete_sweep():
        values: list[Any] = list(override.sweep_string_iterator())
    else:
        values = [override.value()]
    return [value for value in values if isinstance(value, str) and "${" not in value]
