"""Registration of models, tasks, algorithms and methods with BenchMARL and Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from benchmarl.algorithms import algorithm_config_registry
from benchmarl.algorithms.common import AlgorithmConfig
from benchmarl.environments import task_config_registry
from benchmarl.models import model_config_registry
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmarl_hyper import patches
from benchmarl_hyper.algorithms.a2c import Ia2cConfig, Maa2cConfig
from benchmarl_hyper.algorithms.happo.algorithm import HappoConfig
from benchmarl_hyper.algorithms.matd3.algorithm import Itd3Config, Matd3Config
from benchmarl_hyper.algorithms.paper_ppo import IppoPaperConfig, MappoPaperConfig
from benchmarl_hyper.conf_files import explained
from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.models.cash import CashConfig
from benchmarl_hyper.models.common.generated_mlp import GeneratedMlpConfig
from benchmarl_hyper.models.common.method_callback import MethodCallback
from benchmarl_hyper.models.dico.callback import DicoCallback
from benchmarl_hyper.models.dico.model import DicoConfig
from benchmarl_hyper.models.fups import FupsConfig, FupsGruConfig, FupsIdConfig, FupsIdGruConfig
from benchmarl_hyper.models.hypermarl.ablations import HypermarlNoGdConfig, HypermarlNoRfConfig
from benchmarl_hyper.models.hypermarl.models import (
    HypermarlConfig,
    HypermarlGruConfig,
    HypermarlLinearConfig,
    HypermarlLowrankConfig,
    HypermarlMlpConfig,
)
from benchmarl_hyper.models.kaleidoscope.callback import KaleidoscopeCallback
from benchmarl_hyper.models.kaleidoscope.model import KaleidoscopeConfig
from benchmarl_hyper.models.lorasa.callback import LorasaCallback
from benchmarl_hyper.models.lorasa.model import LorasaConfig
from benchmarl_hyper.models.nops import NopsConfig, NopsGruConfig
from benchmarl_hyper.models.seps.callback import SepsCallback
from benchmarl_hyper.models.seps.model import SepsConfig
from benchmarl_hyper.models.shared_trunk import SharedTrunkConfig
from benchmarl_hyper.running.checks import preflight
from benchmarl_hyper.running.plugins import import_installed_plugins
from benchmarl_hyper.tasks.base import FamilyTask
from benchmarl_hyper.tasks.families import TASKS

CONFIGS: tuple[type[GeneratedMlpConfig], ...] = (
    FupsConfig,
    FupsIdConfig,
    NopsConfig,
    SharedTrunkConfig,
    HypermarlLinearConfig,
    HypermarlMlpConfig,
    HypermarlConfig,
    HypermarlLowrankConfig,
    HypermarlNoGdConfig,
    HypermarlNoRfConfig,
    SepsConfig,
    KaleidoscopeConfig,
    DicoConfig,
    LorasaConfig,
    CashConfig,
    FupsGruConfig,
    FupsIdGruConfig,
    NopsGruConfig,
    HypermarlGruConfig,
)

METHODS: dict[str, type[MethodCallback]] = {
    callback.method(): callback
    for callback in (SepsCallback, KaleidoscopeCallback, DicoCallback, LorasaCallback)
}

ALGORITHMS: dict[str, type[AlgorithmConfig]] = {
    "happo": HappoConfig,
    "ippo_paper": IppoPaperConfig,
    "mappo_paper": MappoPaperConfig,
    "matd3": Matd3Config,
    "itd3": Itd3Config,
    "maa2c": Maa2cConfig,
    "ia2c": Ia2cConfig,
}


def register() -> None:
    """Register all of our models, tasks, algorithms and methods with BenchMARL and Hydra.

    It also installs our patches, and imports the plugins of installed packages. Repeated calls are
    harmless.

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
    if named_problems not in preflight.CHECKS:
        preflight.CHECKS.append(named_problems)
    import_installed_plugins()


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
    schema, provider = config.yaml_schema(), "benchmarl_hyper"
    for group in ("model", "model/layers"):
        ConfigStore.instance().store(f"{name}_config", schema, group, provider=provider)


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
    """Make a method known, and add its schema, ``<name>_method``, to Hydra's groups.

    Args:
        callback: the callback class of the method. The values are the arguments of its constructor.

    Raises:
        ValueError: if another class has the name.
    """
    name = callback.method()
    known = METHODS.setdefault(name, callback)
    if known is not callback:
        raise ValueError(
            f"method '{name}' is already registered as {known.__module__}.{known.__qualname__}; "
            "remove one of the two packages, or rename its method"
        )
    schema, provider = callback.yaml_schema(), "benchmarl_hyper"
    ConfigStore.instance().store(f"{name}_method", schema, "method", provider=provider)


def method_callbacks(method: Mapping[str, Any] | None) -> list[MethodCallback]:
    """Build the callback that a variant's method needs.

    Args:
        method: the values of ``conf/method/<name>.yaml``; None for a variant without a method.

    Returns:
        A list with the callback; empty for a variant without a method.

    Raises:
        ValueError: if the name of the method is unknown (the message lists the known ones), or if a
            key or value is wrong.
    """
    if method is None:
        return []
    name = method.get("name")
    if name not in METHODS:
        raise ValueError(f"unknown method '{name}'; the known ones are {', '.join(METHODS)}")
    schema = METHODS[name].yaml_schema()
    try:
        typed = OmegaConf.merge(OmegaConf.structured(schema), method)
        values = OmegaConf.to_container(typed, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"method ({name}): {explained(error, schema)}") from error
    return [METHODS[name](**{k: x for k, x in cast(dict, values).items() if k != "name"})]


def named_problems(cfg: DictConfig) -> Iterator[str]:
    """Yield what is wrong with the method and the callbacks that a configuration names.

    Args:
        cfg: the composed configuration, without Hydra's part.
    """
    names = cfg.get("callbacks")
    try:
        method_callbacks(cfg.get("method"))
        if names == "all" or OmegaConf.is_list(names):
            callbacks_named(names)
    except ValueError as error:
        yield str(error)
