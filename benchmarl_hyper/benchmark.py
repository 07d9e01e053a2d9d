"""BenchMARL's ``Benchmark``, with variants in addition to algorithms, tasks and seeds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from benchmarl.benchmark import Benchmark
from benchmarl.experiment import Callback, Experiment
from benchmarl.models.common import ModelConfig
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException
from omegaconf import DictConfig

from benchmarl_hyper.registry import method_callbacks
from benchmarl_hyper.run_files import flat
from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.checks.command_line import files_in_the_way
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.output import logged
from benchmarl_hyper.running.parts import model_from
from benchmarl_hyper.running.recording import ResultsCallback
from benchmarl_hyper.running.seeds_at_once.batch import SeedBatch
from benchmarl_hyper.running.seeds_at_once.environments import SharedEnvironments
from benchmarl_hyper.running.seeds_at_once.member import SeedExperiment
from benchmarl_hyper.running.seeds_at_once.scope import scope_problems
from benchmarl_hyper.terminal import nearest


class Variant(NamedTuple):
    """What the YAML file of a variant sets.

    Attributes:
        model: the configuration of the policies' model.
        critic_model: the configuration of the critics' model.
        flags: flags of algorithms and their values, for example ``share_param_critic``. Each
            algorithm uses those that it has.
        method: the values of the variant's method; None if it has none.
    """

    model: ModelConfig
    critic_model: ModelConfig
    flags: Mapping[str, Any]
    method: Mapping[str, Any] | None


class VariantBenchmark(Benchmark):
    """A BenchMARL benchmark that runs every variant and labels its results by variant.

    ``model_config`` and ``critic_model_config`` describe the target network. Each variant takes
    their values for the settings that it also has (``num_cells``, ``activation_class``, ``init``
    and so on), except for the settings that the variant itself sets. Models, flags, methods and
    their callbacks are those of ``variant=<name>`` in the runner. Results are like the runner's,
    too: they are labelled ``<algorithm>_<variant>`` and contain the absolute metric.

    Args:
        algorithm_configs: BenchMARL's configurations of the algorithms.
        model_config: the configuration of the policies' target network.
        tasks: the tasks to run.
        seeds: the seeds, the same for all variants.
        experiment_config: BenchMARL's configuration of the experiments.
        critic_model_config: the configuration of the critics' target network; None to use that of
            the policies.
        variants: names that ``variant=`` accepts, for example ``["nops", "hypermarl_mlp_unit"]``.
        config_dir: a folder with your own variants, in ``variant/<name>.yaml``; None if there are
            none.
        together: whether to train the seeds of a setting at once, in one process.
        callbacks: classes or functions without arguments that make the callbacks of each run, for
            example ``[SndCallback]``.

    Raises:
        ValueError: if a variant is unknown (the message lists the known ones), if it sets
            something besides models, flags and a method, if two of the algorithms, tasks,
            seeds or variants have one name, since their results would have one label, or if seeds
            of a setting cannot be trained at once although ``together`` says so.
    """

    def __init__(
        self,
        algorithm_configs: Sequence[Any],
        model_config: ModelConfig,
        tasks: Sequence[Any],
        seeds: set[int],
        experiment_config: Any,
        critic_model_config: ModelConfig | None = None,
        *,
        variants: Sequence[str],
        config_dir: str | Path | None = None,
        together: bool = False,
        callbacks: Sequence[Callable[[], Callback]] = (),
    ):
        _refuse_twins("algorithm_configs", [_algorithm(config) for config in algorithm_configs])
        _refuse_twins("tasks", [f"{task.env_name()}/{task.name}".lower() for task in tasks])
        _refuse_twins("variants", variants)
        self.together = together and len(seeds) > 1
        self.callbacks = callbacks
        self.variants = {name: load_variant(name, config_dir) for name in variants}
        super().__init__(
            algorithm_configs, model_config, tasks, seeds, experiment_config, critic_model_config
        )
        for setting in self._settings() if self.together else ():
            has_method = self.variants[setting[2]].method is not None
            parts, config = self._parts(*setting), experiment_config
            if found := list(
                scope_problems(sorted(seeds), **parts, config=config, has_method=has_method)
            ):
                raise ValueError("\n".join(found))

    @property
    def n_experiments(self) -> int:
        """The number of experiments in the benchmark; seeds that are trained at once count once."""
        return (
            super().n_experiments * len(self.variants) // (len(self.seeds) if self.together else 1)
        )

    def run_sequential(self, quiet: bool = False) -> None:
        """Run all experiments, one after the other.

        Args:
            quiet: whether to print one line per experiment, for example in a notebook. What a run
                prints then goes to ``log.txt`` in its folder; warnings still show, except known
                ones that a user cannot act on.
        """
        if not quiet:
            super().run_sequential()
            return
        experiments = self.get_experiments()
        for number in range(1, self.n_experiments + 1):
            began = time.monotonic()
            with logged([], alone=False):
                experiment = next(experiments)
            runs = getattr(experiment, "runs", [experiment])
            with logged([Path(run.folder_name) for run in runs], alone=False):
                experiment.run()
            seconds = time.monotonic() - began
            print(f"{number} of {self.n_experiments} done: {_what(runs)}, {seconds:.0f} s")

    def get_experiments(self) -> Iterator[Experiment | SeedBatch]:
        """Yield what there is to run, one at a time.

        It is an experiment per algorithm, task, seed and variant, or a :class:`SeedBatch` per
        algorithm, task and variant.
        """
        if self.together:
            seeds = sorted(self.seeds)
            for setting in self._settings():
                yield SeedBatch(partial(self._of_batch, *setting, seeds), seeds)
            return
        for algorithm in self.algorithm_configs:
            for task in self.tasks:
                for seed in self.seeds:
                    for name in self.variants:
                        yield self._experiment(ResumableExperiment, algorithm, task, name, seed)

    def _settings(self) -> Iterator[tuple[Any, Any, str]]:
        return product(self.algorithm_configs, self.tasks, self.variants)

    def _of_batch(
        self,
        algorithm: Any,
        task: Any,
        name: str,
        seeds: Sequence[int],
        index: int,
        environments: SharedEnvironments,
    ) -> SeedExperiment:
        kind = partial(SeedExperiment, environments=environments)
        return self._experiment(kind, algorithm, task, name, seeds[index])

    def _experiment(
        self, kind: Callable[..., Any], algorithm: Any, task: Any, name: str, seed: int
    ) -> Any:
        return kind(
            **self._parts(algorithm, task, name),
            seed=seed,
            config=self.experiment_config,
            callbacks=[
                ResultsCallback(f"{_algorithm(algorithm)}_{name}"),
                AbsoluteMetricCallback(),
                *method_callbacks(self.variants[name].method),
                *(make() for make in self.callbacks),
            ],
        )

    def _parts(self, algorithm: Any, task: Any, name: str) -> dict[str, Any]:
        variant = self.variants[name]
        flags = {key: value for key, value in variant.flags.items() if hasattr(algorithm, key)}
        return {
            "task": task,
            "algorithm_config": replace(algorithm, **flags),
            "model_config": taking_over(variant.model, self.model_config),
            "critic_model_config": taking_over(variant.critic_model, self.critic_model_config),
        }


def _what(runs: Sequence[Experiment]) -> str:
    (label,) = (c.label for c in runs[0].callbacks if isinstance(c, ResultsCallback))
    seeds = ", ".join(str(run.seed) for run in runs)
    where = f"{runs[0].environment_name}/{runs[0].task_name}"
    return f"{label} on {where}, {'seeds' if len(runs) > 1 else 'seed'} {seeds}"


def _algorithm(config: Any) -> str:
    return config.associated_class().__name__.lower()


def _refuse_twins(argument: str, names: Sequence[str]) -> None:
    if twins := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(
            f"{argument} has more than one '{twins[0]}', and their results would share a label; "
            "make a benchmark with a save_folder of its own for each of them"
        )


def load_variant(name: str, config_dir: str | Path | None = None) -> Variant:
    """Read ``variant/<name>.yaml`` as the runner does.

    Args:
        name: the name of the variant.
        config_dir: a folder with your own variants, in ``variant/<name>.yaml``; None if there are
            none.

    Raises:
        ValueError: if the name is unknown (the message lists the known ones), or if the variant
            sets something besides models, flags and a method.
    """
    try:
        cfg, plain = (_composed(variant, config_dir) for variant in (name, "fups"))
    except MissingConfigException as error:
        known = error.options or []
        raise ValueError(
            f"unknown variant '{name}'{nearest(name, known)}; the known ones are {', '.join(known)}"
        ) from error
    for section in ("experiment", "algorithm", "task"):
        usual = flat(plain[section])
        if changed := [k for k, value in flat(cfg[section]).items() if usual.get(k) != value]:
            raise ValueError(
                f"variant '{name}' sets {section}.{changed[0]}, which a benchmark takes from its "
                "own arguments; set it there, or run the variant from the command line"
            )
    return Variant(
        model=model_from(cfg.model, "model"),
        critic_model=model_from(cfg.critic_model, "critic_model"),
        flags=cfg.sharing,
        method=cfg.get("method"),
    )


def taking_over(variant: ModelConfig, model: ModelConfig) -> ModelConfig:
    """Return the variant's configuration with the values of ``model`` for the fields of both.

    A field keeps its value if the variant itself sets it to something other than the shipped
    value of its model.

    Args:
        variant: the configuration that is completed.
        model: the configuration whose values are taken.
    """
    shipped = type(variant).get_from_yaml()
    free = {f.name for f in fields(variant) if f.init and _same(variant, shipped, f.name)}
    shared = {f.name: getattr(model, f.name) for f in fields(model) if f.name in free}
    return replace(variant, **shared)


def _same(one: ModelConfig, other: ModelConfig, name: str) -> bool:
    return getattr(one, name) == getattr(other, name)


@cache
def _composed(variant: str, config_dir: str | Path | None) -> DictConfig:
    """Compose the runner's configuration for a variant.

    Hydra's global state is put back, for applications that use Hydra themselves.
    """
    choices = [f"variant={variant}", "algorithm=ippo", "task=vmas/balance"]
    if config_dir is not None:
        if problems := list(files_in_the_way(Path(config_dir))):
            raise ValueError("\n".join(problems))
        choices.append(f"hydra.searchpath=[file://{Path(config_dir).absolute()}]")
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("benchmarl_hyper.conf", version_base=None):
            return compose("run", choices)
    finally:
        GlobalHydra.instance().hydra = running
