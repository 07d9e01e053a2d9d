"""Settings that cannot work, found before training: by themselves, here, and beside others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch.utils._pytree import tree_leaves

from benchmarl_hyper.run_files import flat
from benchmarl_hyper.running.checks.rules import rule_of

Settings = Mapping[str, Any]
LOGGERS = {"csv": None, "wandb": "wandb", "tensorboard": "tensorboard", "mlflow": "mlflow"}
SECTIONS = ("experiment", "algorithm", "task", "model", "critic_model", "method")
ALONE = ("seed", "num_threads", "checkpoint_share", "lean_rollout", "callbacks", "snd_observations")


def setting_problems(cfg: DictConfig, here: bool = True) -> Iterator[str]:
    """Yield what is wrong with the values of a configuration, as ``key=value: rule; remedy``.

    Args:
        cfg: the composed configuration, without Hydra's part.
        here: whether the run will run on this machine, whose devices and packages are then checked.
    """
    kind = OmegaConf.get_type(cfg, "algorithm")
    on_policy = bool(getattr(kind, "on_policy", lambda: True)())
    settings, unresolved = _resolved(cfg)
    yield from unresolved
    unused = "experiment.off_policy_*" if on_policy else "experiment.on_policy_*"
    used = {key: value for key, value in settings.items() if not fnmatchcase(key, unused)}
    broken = list(_broken_rules(used))
    yield from broken
    yield from _not_finite(used)
    yield from _devices(used, here)
    yield from _records(used, here)
    yield from _callbacks(used)
    yield from _optimiser(used)
    if not broken and "experiment.max_n_frames" in used:
        yield from _what_must_fit(used, "on_policy" if on_policy else "off_policy")


def _resolved(cfg: DictConfig) -> tuple[dict[str, Any], list[str]]:
    """Return settings by dotted key, and what is wrong with their interpolations."""
    settings: dict[str, Any] = {}
    problems = []
    for key in (*SECTIONS, *ALONE):
        try:
            part = OmegaConf.select(cfg, key, throw_on_missing=True)
            if OmegaConf.is_config(part):
                part = OmegaConf.to_container(part, resolve=True, throw_on_missing=True)
            settings |= flat({key: part}) if isinstance(part, Mapping) else {key: part}
        except OmegaConfBaseException as error:
            reason = str(error).splitlines()[0]
            problems.append(f"{error.full_key or key}: {reason}; give it a value")
    return settings, problems


def _broken_rules(settings: Settings) -> Iterator[str]:
    for key, value in settings.items():
        rule = rule_of(key)
        evaluates = settings.get("experiment.evaluation") or "evaluation_" not in key
        if rule and evaluates and not rule.holds(value):
            yield f"{_shown(key, value)}: must be {rule.words}"


def _not_finite(settings: Settings) -> Iterator[str]:
    for key, value in settings.items():
        numbers = [x for x in tree_leaves(value) if isinstance(x, float) and not math.isfinite(x)]
        if key.startswith("task."):  # a task may have no limit
            numbers = [x for x in numbers if math.isnan(x)]
        if numbers and not (rule_of(key) and math.isnan(numbers[0])):
            yield f"{_shown(key, value)}: must be a finite number"


def _devices(settings: Settings, here: bool) -> Iterator[str]:
    for name in ("sampling_device", "train_device", "buffer_device"):
        key = f"experiment.{name}"
        value = settings.get(key, "cpu")
        if value == "disk" and name == "buffer_device":
            continue
        try:
            device = torch.device(value)
        except (RuntimeError, TypeError):
            yield f"{_shown(key, value)}: must be a device of torch; use cpu, cuda or cuda:1"
            continue
        n_devices = torch.cuda.device_count()
        if here and device.type == "cuda" and (device.index or 0) >= n_devices:
            yield (
                f"{_shown(key, value)}: must be a device of this machine, and torch sees "
                f"{n_devices} GPU(s); use {'cuda:0 or ' if n_devices else ''}cpu"
            )


def _records(settings: Settings, here: bool) -> Iterator[str]:
    loggers = settings.get("experiment.loggers") or []
    for name in loggers:
        if name not in LOGGERS:
            yield f"{_shown('experiment.loggers', loggers)}: must be of {', '.join(LOGGERS)}"
        elif here and (module := LOGGERS[name]) and find_spec(module) is None:
            yield (
                f"{_shown('experiment.loggers', loggers)}: {name} is not installed; run "
                f"pip install {name}, or set experiment.loggers=[csv]"
            )
    evaluates = settings.get("experiment.evaluation")
    if not loggers and not (evaluates and settings.get("experiment.create_json")):
        yield (
            "experiment.loggers=[]: nothing would be recorded; set experiment.loggers=[csv], or "
            "experiment.create_json=True and experiment.evaluation=True"
        )


def _callbacks(settings: Settings) -> Iterator[str]:
    callbacks, file = settings.get("callbacks"), settings.get("snd_observations")
    if callbacks != "all" and not isinstance(callbacks, list):
        name = callbacks if isinstance(callbacks, str) and callbacks else "snd"
        yield (
            f"{_shown('callbacks', callbacks)}: must be a list, for example callbacks=[{name}], or "
            "all"
        )
        return
    measures = callbacks == "all" or "snd" in callbacks
    if file is not None and not Path(file).is_file():
        yield (
            f"snd_observations={file}: there is no such file; write one with "
            "python -m benchmarl_hyper.observations FILE CHECKPOINT"
        )
    if file is not None and not measures:
        yield f"snd_observations={file}: needs the callback that reads it; add callbacks=[snd]"
    if measures and not settings.get("experiment.evaluation", True):
        yield "callbacks=[snd]: is measured at evaluations; set experiment.evaluation=True"


def _optimiser(settings: Settings) -> Iterator[str]:
    prefix = "experiment.adam_extra_kwargs."
    known = signature(torch.optim.Adam).parameters.keys() - {"params", "lr", "eps"}
    for key, value in settings.items():
        if key.startswith(prefix) and (name := key.removeprefix(prefix)) not in known:
            where = f"; set experiment.{'lr' if name == 'lr' else 'adam_eps'}"
            yield (
                f"{_shown(key, value)}: torch's Adam takes {', '.join(sorted(known))}"
                f"{where if name in ('lr', 'eps') else ''}"
            )


def _what_must_fit(settings: Settings, side: str) -> Iterator[str]:
    """Yield what is wrong between settings that are right by themselves."""
    value = {key.removeprefix("experiment."): x for key, x in settings.items()}
    frames_key, envs_key = f"{side}_collected_frames_per_batch", f"{side}_n_envs_per_worker"
    frames, envs = value[frames_key], value[envs_key]
    if value["max_n_frames"] is None and value["max_n_iters"] is None:
        yield "experiment.max_n_frames=null: one of max_n_frames and max_n_iters must be set"
    if frames % envs:
        yield _multiple(frames_key, frames, envs_key, envs)
    for key in ("evaluation_interval", "checkpoint_interval"):
        used = value[key] and (key == "checkpoint_interval" or value["evaluation"])
        if used and value[key] % frames:
            yield _multiple(key, value[key], frames_key, frames)
    for small, large in (
        ("on_policy_minibatch_size", frames_key),
        ("off_policy_train_batch_size", "off_policy_memory_size"),
        ("off_policy_collected_frames_per_batch", "off_policy_memory_size"),
        ("exploration_eps_end", "exploration_eps_init"),
        ("algorithm.min_alpha", "algorithm.max_alpha"),
    ):
        low, high = value.get(small), value.get(large)
        if low is not None and high is not None and low > high:
            prefix = "" if "." in small else "experiment."
            yield f"{prefix}{small}={low}: must be at most {prefix}{large}={high}; change one"
    if value["collect_with_grad"] and value.get("off_policy_init_random_frames"):
        yield (
            f"experiment.off_policy_init_random_frames={value['off_policy_init_random_frames']}: "
            "must be 0 with experiment.collect_with_grad=True"
        )


def _multiple(key: str, value: int, base: str, unit: int) -> str:
    near = [x for x in (value // unit * unit, -(-value // unit) * unit) if x]
    return (
        f"experiment.{key}={value}: must be a multiple of experiment.{base}={unit}; set it to "
        f"{' or '.join(map(str, near))}"
    )


def _shown(key: str, value: Any) -> str:
    text = "null" if value is None else repr(value) if value == "" else str(value)
    return f"{key}={text}"
