"""What can be trained with several seeds at once; everything else is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarl import hydra_config
from benchmarl.algorithms import IppoConfig, MappoConfig
from benchmarl.environments.vmas.common import VmasClass
from benchmarl.experiment import ExperimentConfig
from benchmarl.models import MlpConfig
from benchmarl.models.common import ModelConfig
from omegaconf import DictConfig

from benchmarl_hyper.running.parts import model_from, task_from

MODELS, ALGORITHMS, TASKS = (MlpConfig,), (IppoConfig, MappoConfig), (VmasClass,)
SUPPORTED = "seeds_at_once"  # an attribute of classes that say so themselves


def scope_problems(
    seeds: Sequence[int],
    *,
    task: Any,
    algorithm_config: Any,
    model_config: ModelConfig,
    critic_model_config: ModelConfig,
    config: ExperimentConfig,
    has_method: bool,
) -> Iterator[str]:
    """Yield what keeps seeds from being trained at once.

    A class of one's own takes part if it sets ``seeds_at_once = True``: the class of a task, of an
    algorithm's configuration, or of a model's configuration. Where one setting of an algorithm does
    not fit, its configuration names it as ``needs_one_seed``.

    Args:
        seeds: the seeds.
        task: the task.
        algorithm_config: configuration of the algorithm.
        model_config: configuration of the policies' model.
        critic_model_config: configuration of the critics' model.
        config: configuration of the experiments.
        has_method: whether the variant has a method, which changes networks while they train.
    """
    remedy = f"train seeds one after the other, with -m seed={','.join(map(str, seeds))}"
    parts = {
        "task": (type(task), TASKS, "its environments are not known to draw by row"),
        "algorithm": (type(algorithm_config), ALGORITHMS, "only variants of PPO and A2C are"),
        "model": (type(model_config), MODELS, "only feedforward models are"),
        "critic_model": (type(critic_model_config), MODELS, "only feedforward models are"),
    }
    for key, (cls, known, why) in parts.items():
        if cls not in known and not getattr(cls, SUPPORTED, False):
            name = cls.__name__.removesuffix("Config").removesuffix("Class")
            yield f"seed={list(seeds)}: {key} {name} is not supported ({why}); {remedy}"
    if setting := getattr(algorithm_config, "needs_one_seed", None):
        yield f"seed={list(seeds)}: {setting} is not supported; {remedy}"
    if has_method:
        yield f"seed={list(seeds)}: variants with a method are not supported; {remedy}"
    if config.sampling_device != config.train_device:
        yield (
            f"seed={list(seeds)}: needs experiment.sampling_device={config.sampling_device} to be "
            f"experiment.train_device={config.train_device}; set them to one device, or {remedy}"
        )
    if config.collect_with_grad:
        yield f"seed={list(seeds)}: experiment.collect_with_grad=True is not supported; {remedy}"


def refuse_what_needs_one_seed(cfg: DictConfig, task: str) -> None:
    """Raise a ``ValueError`` unless a configuration's seeds can be trained at once.

    Args:
        cfg: the composed configuration, with a list of seeds.
        task: BenchMARL's name of the task.
    """
    problems = scope_problems(
        list(cfg.seed),
        task=task_from(cfg.task, task),
        algorithm_config=hydra_config.load_algorithm_config_from_hydra(cfg.algorithm),
        model_config=model_from(cfg.model, "model"),
        critic_model_config=model_from(cfg.critic_model, "critic_model"),
        config=hydra_config.load_experiment_config_from_hydra(cfg.experiment),
        has_method=cfg.get("method") is not None,
    )
    if found := list(problems):
        raise ValueError("\n".join(found))
