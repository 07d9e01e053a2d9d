"""YAML files: those that we ship in ``conf/``, and one reader for all, by declared types."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, make_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin

import yaml
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

import benchmarl_hyper.conf

CONF = Path(benchmarl_hyper.conf.__file__).parent

PLAIN = (bool, int, float, str)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the values of a YAML file, without the defaults list, which is for Hydra.

    Numbers are read as on the command line: ``1e-2`` is a number, as it is for Hydra.

    Raises:
        ValueError: if the file is not YAML, or does not map keys to values.
    """
    try:
        values = OmegaConf.load(path)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    if not OmegaConf.is_dict(values):
        raise ValueError(f"{path} must map keys to values, for example 'num_cells: [64, 64]'")
    plain = cast(dict[str, Any], OmegaConf.to_container(values))
    plain.pop("defaults", None)
    return plain


def typed_values(schema: type, *files: str | Path | None) -> dict[str, Any]:
    """Return the values of YAML files as Hydra would return them: checked, in declared types.

    Args:
        schema: a dataclass whose fields are the known keys and their types.
        *files: YAML files, later ones override earlier ones; None stands for no file.

    Raises:
        ValueError: if a key is unknown or missing, or if a value does not have the declared type;
            the message names the file and the key.
    """
    values, name = OmegaConf.structured(schema), ""
    try:
        for name in map(str, filter(None, files)):
            values = OmegaConf.merge(values, read_yaml(Path(name)))
        container = OmegaConf.to_container(values, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"{name}: {explained(error, schema)}") from error
    return cast(dict[str, Any], container)


def explained(error: OmegaConfBaseException, schema: type) -> str:
    """Return what is wrong in one line: the key, the value, and what is known or expected."""
    key, reason = error.full_key or str(error.key), str(error).splitlines()[0]
    known = sorted(field.name for field in fields(schema))
    if isinstance(error, ConfigKeyError | AttributeError) and str(error.key) not in known:
        near = get_close_matches(str(error.key), known, n=1)
        guess = f"; did you mean '{near[0]}'?" if near else ""
        return f"key '{key}' is unknown{guess} The known keys are {', '.join(known)}"
    return f"key '{key}': {reason}"


def yaml_schema(name: str, hints: Mapping[str, Any], module: str) -> type:
    """Make the dataclass that types a YAML file.

    Args:
        name: name of the class that the values are for; the schema is called ``<name>Schema``.
        hints: types of the keys, as that class declares them.
        module: the module of that class. The schema is stored there, because a worker process
            unpickles it by its name; to find it, the worker imports the module.
    """
    types = [(key, yaml_type(hint), field(default=MISSING)) for key, hint in hints.items()]
    schema = make_dataclass(f"{name}Schema", types)
    schema.__module__ = module
    setattr(sys.modules[module], schema.__name__, schema)
    return schema


def yaml_type(hint: Any) -> Any:
    """Return the type that a value has in YAML, for the type that it has in Python.

    A class is named by its path, so it is a ``str``. What OmegaConf cannot type is ``Any``.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is type:
        return str
    if origin in (Union, UnionType):
        types = [yaml_type(each) for each in arguments if each is not NoneType]
        typed = len(types) == 1 or all(each in PLAIN for each in types)
        whole = Union[tuple(types)] if typed else Any  # noqa: UP007
        return whole | None if NoneType in arguments and typed else whole
    if origin in (list, Sequence) and arguments:
        return list[yaml_type(arguments[0])]  # type: ignore[misc]
    if hint in PLAIN or origin is dict or OmegaConf.is_config(hint):
        return hint
    return Any
