"""Files that would train something else than they say: variants, suites, keys that nobody reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from benchmarl.algorithms import algorithm_config_registry
from benchmarl.algorithms.common import AlgorithmConfig
from benchmarl.experiment import ExperimentConfig
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from benchmarl_hyper.conf_files import CONF, read_yaml
from benchmarl_hyper.running.checks.settings import SECTIONS

# The keys of BenchMARL's configuration and of conf/run.yaml
KEYS = {*SECTIONS, "seed", *read_yaml(CONF / "run.yaml")} - {"hydra"}
GLOBAL = ("variant", "scenario", "suite")  # groups whose files set keys at the top
ANY = "any"  # where a file is written in a way that hides its choice


def composition_problems(
    cfg: DictConfig,
    choices: Mapping[str, Any],
    overrides: Sequence[str],
    sources: Iterable[Any],
) -> Iterator[str]:
    """Yield what is wrong with the files that a configuration was composed from.

    Args:
        cfg: the composed configuration, without Hydra's part, not resolved.
        choices: what Hydra has chosen for each configuration group.
        overrides: the overrides of the command line.
        sources: Hydra's search path, ``hydra.runtime.config_sources``.
    """
    plain = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))
    yield from _unknown_keys(plain, choices, overrides)
    yield from _untyped(cfg, choices)
    yield from _added_keys(cfg)
    yield from _unknown_flags(plain.get("sharing") or {})
    if choices.get("suite") and plain.get("name") == "default" and "name=default" not in overrides:
        yield f"name=default: suite={choices['suite']} does not set a name; add 'name: mine' to it"
    yield from _other_models(cfg, choices, sources)
    yield from _empty_references(plain)


def _empty_references(plain: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of names that Hydra would resolve to None without a word."""
    for key in ("name", "label"):
        for path in re.findall(r"\$\{hydra:([^}]+)\}", str(plain.get(key))):
            if OmegaConf.select(cast(Any, HydraConfig.instance().cfg), f"hydra.{path}") is None:
                yield (
                    f"{key}={plain[key]}: Hydra has no {path}; ${{hydra:runtime.choices.task}} and "
                    "likewise algorithm, variant and model are there"
                )


def _unknown_keys(
    plain: Mapping[str, Any], choices: Mapping[str, Any], overrides: Sequence[str]
) -> Iterator[str]:
    """Yield the keys at the top that nobody reads, not even an interpolation."""
    text = f"{list(plain.values())} {list(overrides)}"
    for key in plain.keys() - KEYS:
        if key in GLOBAL:
            yield (
                f"{key}={choices.get(key)}: its file has no first line '# @package _global_', so "
                "that its settings reach nobody; add the line"
            )
        elif not re.search(rf"\${{{re.escape(key)}\b", text):
            yield (
                f"{key}: nobody reads this key; {_guess(key, KEYS)}The keys are "
                f"{', '.join(sorted(KEYS))}. A key of your own must be used by another one, as "
                f"${{{key}}}"
            )


def _untyped(cfg: DictConfig, choices: Mapping[str, Any]) -> Iterator[str]:
    for key, base, example in (
        ("algorithm", AlgorithmConfig, "mappo"),
        ("experiment", ExperimentConfig, "base_experiment"),
    ):
        found = OmegaConf.get_type(cfg, key)
        if not (isinstance(found, type) and issubclass(found, base)):
            schema = f"{example}_config" if key == "algorithm" else example
            yield (
                f"{key}={choices.get(key)}: its file does not say whose settings it holds; let its "
                f"defaults begin with the schema or file that it changes, for example '- {schema}'"
            )


def _added_keys(cfg: DictConfig) -> Iterator[str]:
    """Yield keys that ``+key=...`` has added to settings whose keys are known."""
    for section in {*SECTIONS} & cfg.keys():
        schema = OmegaConf.get_type(cfg, section)
        known = {f.name for f in fields(schema)} if is_dataclass(schema) else {*cfg[section]}
        for key in cfg[section].keys() - known:
            yield (
                f"{section}.{key}: nobody reads this key; {_guess(key, known)}The keys of "
                f"{section} are {', '.join(sorted(known))}"
            )


def _guess(key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"did you mean '{near[0]}'? " if near else ""


def _unknown_flags(sharing: Mapping[str, Any]) -> Iterator[str]:
    known = {f.name for config in algorithm_config_registry.values() for f in fields(config)}
    for key in sharing.keys() - known:
        guess = _guess(key, known).strip() or "remove it"
        yield f"sharing.{key}: no algorithm has this setting; {guess}"


def _other_models(
    cfg: DictConfig, choices: Mapping[str, Any], sources: Iterable[Any]
) -> Iterator[str]:
    """Yield where a variant does not set its models, or where a default label names another one."""
    variant, algorithm = choices.get("variant"), choices.get("algorithm")
    if variant is None:
        return
    sources = list(sources)
    for group in ("model", "model@critic_model"):
        chosen = variant_choice(str(variant), group, sources)
        if chosen is None:
            yield (
                f"variant={variant}: it does not choose a {group.rpartition('@')[2]}; add "
                f"'- override /{group}: layers/...' to its defaults, or the name of a variant that "
                "does, for example '- hypermarl_mlp'"
            )
        elif group == "model" and chosen != ANY and chosen != choices.get("model"):
            label, model = f"{algorithm}_{variant}", str(choices.get("model"))
            if str(cfg.label) == label:
                yield (
                    f"label={label}: variant={variant} stands for {chosen}, but model={model} is "
                    f"trained; set label={algorithm}_{model.rpartition('/')[2]}, or leave model out"
                )


def variant_choice(name: str, group: str, sources: Sequence[Any]) -> str | None:
    """Return what a variant's file, or one that it builds on, chooses for a configuration group.

    Args:
        name: the name of the variant.
        group: the group, for example ``model`` or ``model@critic_model``.
        sources: Hydra's search path.

    Returns:
        The choice; None if there is none, and ``ANY`` if a file cannot be followed.
    """
    values = _file(f"variant/{name}.yaml", sources)
    if values is None:
        return ANY
    found = None
    for entry in values.get("defaults") or []:
        if isinstance(entry, str) and entry != "_self_":
            base = variant_choice(entry.removeprefix("/variant/"), group, sources)
            found = base or found
        elif isinstance(entry, dict):
            for key, value in entry.items():
                if key.split()[-1].lstrip("/") == group and isinstance(value, str):
                    return value
    return found


def _file(name: str, sources: Sequence[Any]) -> dict[str, Any] | None:
    kinds: dict[str, Callable[[str], Any]] = {"file": Path, "pkg": resources.files}
    roots = (kinds[one.schema](one.path) for one in sources if one.schema in kinds)
    found = next((file for root in roots if (file := root.joinpath(name)).is_file()), None)
    return None if found is None else _read(found.read_text(encoding="utf-8"))


@cache
def _read(text: str) -> dict[str, Any]:
    values = OmegaConf.to_container(OmegaConf.create(text))
    return cast(dict[str, Any], values if isinstance(values, dict) else {})
