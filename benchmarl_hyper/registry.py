"""Registration of models, tasks, algorithms and methods with BenchMARL and Hydra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, make_dataclass
from typing import Any, get_type_hints

from benchmarl.algorithms import algorithm_config_registry
from benchmarl.algorithms.common import AlgorithmConfig
from benchmarl.environments import task_config_registry
from benchmarl.models import model_config_registry
from benchmarl.models.common import ModelConfig
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING
from torch import nn

from benchmarl_hyper import patches
from benchmarl_hyper.algorithms.happo.algorithm import HappoConfig
from benchmarl_hyper.algorithms.paper_ppo import IppoPaperConfig, MappoPaperConfig
from benchmarl_hyper.models.common.generated_mlp import GeneratedMlpConfig
from benchmarl_hyper.models.common.method_callback import MethodCallback
from benchmarl_hyper.models.dico.callback import DicoCallback
from benchmarl_hyper.models.dico.model import DicoConfig
from benchmarl_hyper.models.fups import FupsConfig, FupsGruConfig, FupsIdConfig, FupsIdGruConfig
from benchmarl_hyper.models.hypermarl.ablations import HypermarlNoGdConfig, HypermarlNoRfConfig
from benchmarl_hyper.models.hypermarl.models import (
    HypermarlGruConfig,
    HypermarlLinearConfig,
    HypermarlLowrankConfig,
    HypermarlMlpConfig,
)
from benchmarl_hyper.models.kaleidoscope.callback import KaleidoscopeCallback
from benchmarl_hyper.models.kaleidoscope.model import KaleidoscopeConfig
from benchmarl_hyper.models.nops import NopsConfig, NopsGruConfig
from benchmarl_hyper.models.seps.callback import SepsCallback
from benchmarl_hyper.models.seps.model import SepsConfig
from benchmarl_hyper.tasks import TASKS
from benchmarl_hyper.tasks.base import FamilyTask

CONFIGS: tuple[type[GeneratedMlpConfig], ...] = (
    FupsConfig,
    FupsIdConfig,
    NopsConfig,
    HypermarlLinearConfig,
    HypermarlMlpConfig,
    HypermarlLowrankConfig,
    HypermarlNoGdConfig,
    HypermarlNoRfConfig,
    SepsConfig,
    KaleidoscopeConfig,
    DicoConfig,
    FupsGruConfig,
    FupsIdGruConfig,
    NopsGruConfig,
    HypermarlGruConfig,
)

METHODS: dict[str, type[MethodCallback]] = {
    callback.method(): callback for callback in (SepsCallback, KaleidoscopeCallback, DicoCallback)
}

ALGORITHMS: dict[str, type[AlgorithmConfig]] = {
    "happo": HappoConfig,
    "ippo_paper": IppoPaperConfig,
    "mappo_paper": MappoPaperConfig,
}

# Types of our fields that OmegaConf does not know, and the types of their values in YAML.
_YAML_TYPES: dict[Any, Any] = {Sequence[int]: list[int], type[nn.Module]: str}


def register() -> None:
    """Register all of our models, tasks, algorithms and methods with BenchMARL and Hydra.

    It also installs our patches. Repeated calls are harmless.

    Raises:
        ValueError: if another package has registered one of the names.
    """
    patches.install()
    for config in CONFIGS:
        register_model(config)
    for task in TASKS:
        register_task(task)
    for name, algorithm in ALGORITHMS.items():
        register_algorithm(name, algorithm)
    for callback in METHODS.values():
        register_method(callback)


def register_model(config: type[GeneratedMlpConfig]) -> None:
    """Add a model to BenchMARL's registry and its schema to Hydra's configuration groups.

    The name is ``config.model_name()``, and the schema is ``<name>_config``.

    Args:
        config: the config class of the model.

    Raises:
        ValueError: if another class has the name.
    """
    name = config.model_name()
    known = model_config_registry.setdefault(name, config)
    if known is not config:
        raise ValueError(
            f"model '{name}' is already registered as {known.__module__}.{known.__qualname__}; "
            "remove one of the two packages, or rename its model"
        )
    hints = get_type_hints(config)
    types = {"name": str} | {f.name: hints[f.name] for f in fields(config)}
    schema = _schema(config.__name__, types)
    for group in ("model", "model/layers"):
        ConfigStore.instance().store(f"{name}_config", schema, group, provider="benchmarl_hyper")


def register_task(task: FamilyTask) -> None:
    """Add a task to BenchMARL's registry and its schema to Hydra's configuration groups.

    The name is ``<family>/<name>``, and the schema is ``<family>_<name>_config``.

    Args:
        task: a member of a family's enum of tasks.

    Raises:
        ValueError: if another task has the name.
    """
    task_class, name = task.associated_class(), task.name.lower()
    key = f"{task_class.family}/{name}"
    known = task_config_registry.setdefault(key, task)
    if known is not task:
        raise ValueError(
            f"task '{key}' is already registered as {known!r}; remove one of the two packages, or "
            "rename its task"
        )
    schema, provider = task_class.config_class(task.name), "benchmarl_hyper"
    ConfigStore.instance().store(
        f"{task_class.family}_{name}_config", schema, "task", provider=provider
    )


def register_algorithm(name: str, config: type[AlgorithmConfig]) -> None:
    """Add an algorithm to BenchMARL's registry and its schema to Hydra's configuration groups.

    The schema is ``<name>_config``.

    Args:
        name: the name of the algorithm and of its YAML file.
        config: the config class of the algorithm.

    Raises:
        ValueError: if another class has the name.
    """
    known = algorithm_config_registry.setdefault(name, config)
    if known is not config:
        raise ValueError(
            f"algorithm '{name}' is already registered as {known.__module__}."
            f"{known.__qualname__}; remove one of the two packages, or rename its algorithm"
        )
    schema = f"{name}_config"
    ConfigStore.instance().store(schema, config, "algorithm", provider="benchmarl_hyper")


def register_method(callback: type[MethodCallback]) -> None:
    """Add the schema of a method's values, ``<name>_method``, to Hydra's configuration groups.

    Args:
        callback: the callback class of the method. The values are the arguments of its constructor.
    """
    schema = _schema(callback.__name__, {"name": str} | get_type_hints(callback.__init__))
    name = f"{callback.method()}_method"
    ConfigStore.instance().store(name, schema, "method", provider="benchmarl_hyper")


def model_config(name: str) -> type[ModelConfig]:
    """Return the config class of a model by its name in BenchMARL's registry.

    Raises:
        ValueError: if the name is unknown; the message lists the known ones.
    """
    if name not in model_config_registry:
        raise ValueError(
            f"unknown model '{name}'; the known ones are {', '.join(sorted(model_config_registry))}"
        )
    return model_config_registry[name]


def method_callbacks(method: Mapping[str, Any] | None) -> list[MethodCallback]:
    """Build the callback that a variant's method needs.

    Args:
        method: the values of ``conf/method/<name>.yaml``; None for a variant without a method.

    Returns:
        A list with the callback; empty for a variant without a method.

    Raises:
        ValueError: if the name of the method is unknown; the message lists the known ones.
    """
    if method is None:
        return []
    name, values = method["name"], {key: x for key, x in method.items() if key != "name"}
    if name not in METHODS:
        raise ValueError(f"unknown method '{name}'; the known ones are {', '.join(METHODS)}")
    return [METHODS[name](**values)]


def _schema(name: str, types: Mapping[str, Any]) -> type:
    """Make the dataclass that types a YAML file, from the types of its keys."""
    schema = make_dataclass(
        f"{name}Schema",
        [(key, _YAML_TYPES.get(hint, hint), field(default=MISSING)) for key, hint in types.items()],
    )
    # A worker process unpickles the schema by its name in this module. To find it there, it imports
    # the package, which registers the models.
    schema.__module__ = __name__
    globals()[schema.__name__] = schema
    return schema
