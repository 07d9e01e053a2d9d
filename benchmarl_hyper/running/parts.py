"""Model and task of a run, built from a composed configuration by declared types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, fields, make_dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast, get_type_hints

from benchmarl import hydra_config
from benchmarl.environments import task_config_registry
from benchmarl.environments.common import TaskClass, _get_task_config_class
from benchmarl.models import SequenceModelConfig, model_config_registry
from benchmarl.models.common import ModelConfig
from benchmarl.utils import _class_from_name
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmarl_hyper.conf_files import explained, yaml_type
from benchmarl_hyper.terminal import nearest

OWN = "For one of your own, name the module that registers it: plugins=[my_project.tasks]"
# The packages of BenchMARL's families of tasks, and what to install.
PACKAGES = {
    "vmas": ("vmas", "vmas"),
    "pettingzoo": ("pettingzoo", "pettingzoo[{extra}]==1.24.3"),
    "smacv2": ("smacv2", "git+https://github.com/oxwhirl/smacv2.git"),
    "meltingpot": ("meltingpot", "dm-meltingpot"),
    "magent": ("magent2", "magent2"),
}


def model_from(part: DictConfig, key: str) -> ModelConfig:
    """Build the configuration of a model, or of a sequence of models.

    Values get the types that the model declares, also where a YAML file does not name its schema.

    Args:
        part: the composed configuration of the model.
        key: where it is in the configuration, for example ``critic_model``.

    Raises:
        ValueError: if the model is unknown, or if a key or value is wrong; the message names it.
    """
    if "layers" in part:
        return _sequence_from(part, key)
    name = part.get("name")
    if name not in model_config_registry:
        near = nearest(str(name), model_config_registry)
        raise ValueError(
            f"{key}.name={name}: unknown model '{name}'{near}; "
            f"the known ones are {', '.join(sorted(model_config_registry))}. {OWN}"
        )
    config = model_config_registry[name]
    own = getattr(config, "from_values", None)
    try:
        return own(_typed(config.yaml_schema(), part)) if own else _benchmarls(config, part)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{key} ({name}): {error}") from error


def task_from(part: DictConfig, name: str) -> TaskClass:
    """Build a task.

    Args:
        part: the composed configuration of the task.
        name: BenchMARL's name of the task, for example ``vmas/navigation``.

    Raises:
        ValueError: if the task is unknown, or if a key or value is wrong; the message names it.
    """
    if name not in task_config_registry:
        raise ValueError(
            f"task={name}: unknown task; `python -m benchmarl_hyper.tasks` lists ours, and "
            f"BenchMARL's documentation its own. {OWN}"
        )
    task = task_config_registry[name]
    config_class = getattr(task.associated_class(), "config_class", None)
    family, _, short = name.partition("/")
    schema = config_class(task.name) if config_class else _get_task_config_class(family, short)
    if schema is None:
        return hydra_config.load_task_config_from_hydra(part, name)
    try:
        return task.get_task(_typed(schema, part))
    except (ValueError, TypeError) as error:
        raise ValueError(f"task={name}: {error}") from error


def part_problems(cfg: DictConfig, task: str, here: bool = True) -> Iterator[str]:
    """Yield what is wrong with models, algorithm and task of a composed configuration.

    Args:
        cfg: the composed configuration, without Hydra's part.
        task: BenchMARL's name of the task.
        here: whether the run will run on this machine, whose packages are then checked.
    """
    for key in ("model", "critic_model"):
        yield from _reasons(partial(model_from, cfg[key], key))
    yield from _reasons(partial(OmegaConf.to_object, cfg.algorithm))
    yield from _reasons(partial(_check_task, cfg, task, here))


def _reasons(build: Callable[[], object]) -> Iterator[str]:
    try:
        build()
    except OmegaConfBaseException:
        return  # a value is missing, which the check of settings reports
    except ValueError as error:
        yield str(error)


def _check_task(cfg: DictConfig, name: str, here: bool) -> None:
    task, algorithm = task_from(cfg.task, name), cast(type, OmegaConf.get_type(cfg, "algorithm"))
    family, _, short = name.partition("/")
    install = missing_package(family, short)
    if here and install:
        raise ValueError(f"task={name}: needs a package; run: pip install {install}")
    installed = getattr(task, "installed", lambda: True)
    if here and not installed():
        raise ValueError(
            f"task={name}: needs {' and '.join(task.modules)}; run: "
            f"pip install 'benchmarl-hyper[{task.extra}]'"
        )
    kinds = ("continuous", "discrete")
    acts = [kind for kind in kinds if getattr(task, f"supports_{kind}_actions")()]
    if not any(getattr(algorithm, f"supports_{kind}_actions", lambda: True)() for kind in acts):
        raise ValueError(
            f"algorithm: {algorithm.__name__} does not act in task={name}, whose actions are "
            f"{' or '.join(acts)}; choose another algorithm, for example ippo or mappo"
        )


def missing_package(family: str, task: str) -> str:
    """Return what to install for a family of BenchMARL's tasks; empty if it is there.

    Newer versions of PettingZoo have no ``pettingzoo.mpe``, without which torchrl cannot use them.
    """
    module, install = PACKAGES.get(family, ("torch", ""))
    spec = find_spec(module)
    places = list(spec.submodule_search_locations or []) if spec else []
    if family == "pettingzoo":
        places = [place for place in places if Path(place, "mpe", "all_modules.py").is_file()]
        extra = "mpe" if task.startswith("simple") else "sisl"
        return "" if places else f"'{install.format(extra=extra)}'"
    return "" if places else install


def module_class(key: str, value: Any) -> Any:
    """Return the class that a value names if its key ends in ``class``; else the value.

    Raises:
        ValueError: if there is no such class.
    """
    if not key.endswith("class") or value is None:
        return value
    try:
        found = _class_from_name(value)
    except (AttributeError, ImportError, ValueError) as error:
        raise ValueError(f"{key}={value}: {error}; name a class, such as torch.nn.Tanh") from error
    if not isinstance(found, type):
        raise ValueError(f"{key}={value} is no class; name a class, such as torch.nn.Tanh")
    return found


def _sequence_from(part: DictConfig, key: str) -> SequenceModelConfig:
    names = [f"l{i + 1}" for i in range(len(part.layers))]
    if set(names) != part.layers.keys():
        raise ValueError(
            f"{key}.layers: must be called {', '.join(names)}, got {', '.join(part.layers)}"
        )
    sizes = _container(part)["intermediate_sizes"]
    if len(sizes) != len(names) - 1:
        raise ValueError(
            f"{key}.intermediate_sizes={sizes}: must hold {len(names) - 1} size(s), one between "
            f"each two of {', '.join(names)}"
        )
    models = [model_from(part.layers[name], f"{key}.layers.{name}") for name in names]
    return SequenceModelConfig(model_configs=models, intermediate_sizes=sizes)


def _typed(schema: type, part: DictConfig) -> dict[str, Any]:
    """Return values in the types of a schema, which Hydra may have applied already."""
    if OmegaConf.get_type(part) is schema:
        return _container(part)
    try:
        return _container(OmegaConf.merge(OmegaConf.structured(schema), _container(part)))
    except OmegaConfBaseException as error:
        raise ValueError(explained(error, schema)) from error


def _container(part: Any) -> dict[str, Any]:
    container = OmegaConf.to_container(part, resolve=True, throw_on_missing=True)
    return cast(dict[str, Any], container)


def _benchmarls(config: type[ModelConfig], part: DictConfig) -> ModelConfig:
    """Build the configuration of a model whose YAML file has no schema."""
    schema, keys = _schema_of(cast(Any, config)), [str(key) for key in part if key != "name"]
    required = {f.name for f in fields(config) if f.init and f.default is f.default_factory}
    if missing := required - part.keys():
        raise ValueError(f"key '{min(missing)}' is missing; give it a value")
    values = _typed(schema, part)
    _check_sizes(values)
    return config(**{key: module_class(key, values[key]) for key in keys})


@cache
def _schema_of(config: type[ModelConfig]) -> type:
    """Return the dataclass that types a model's YAML.

    Everything may be null, because BenchMARL declares ``norm_class`` and others without saying so.
    """
    try:
        hints = get_type_hints(config)
    except NameError:  # of a type that its module imports for type checkers alone
        hints = {}
    known = {f.name: hints.get(f.name, Any) for f in fields(config) if f.init}
    types = {key: yaml_type(hint) for key, hint in ({"name": str} | known).items()}
    optional = [(key, x if x is Any else x | None, field(default=None)) for key, x in types.items()]
    return make_dataclass(f"{config.__name__}Values", optional)


def _check_sizes(values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        sizes = value if isinstance(value, list) else [value]
        sized = key.endswith("num_cells") or key in ("hidden_size", "n_layers", "num_feature_dims")
        if sized and any(size is None or size < 1 for size in sizes):
            raise ValueError(f"{key}={value}: must be positive whole numbers")
