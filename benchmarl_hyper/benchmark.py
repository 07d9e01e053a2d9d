"""BenchMARL's ``Benchmark``, with variants beside algorithms, tasks and seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from benchmarl.benchmark import Benchmark
from benchmarl.experiment import Experiment
from benchmarl.models.common import ModelConfig

from benchmarl_hyper.conf_files import CONF, read_yaml
from benchmarl_hyper.registry import model_config as registered
from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.recording import ResultsCallback


class VariantBenchmark(Benchmark):
    """A BenchMARL benchmark that is repeated for each variant, and labels results by it.

    ``model_config`` and ``critic_model_config`` give the target network: each variant takes over
    those of its settings that it knows (``num_cells``, ``activation_class``, ``init`` and so on),
    and has its shipped values for the rest. All variants use critics with an output per agent, and
    the same seeds. Results are those of the runner: labelled ``<algorithm>_<variant>``, with the
    absolute metric.

    Args:
        algorithm_configs: the algorithms, see BenchMARL.
        model_config: the target network of the policy.
        tasks: the tasks.
        seeds: the seeds.
        experiment_config: the experiment's settings.
        critic_model_config: the target network of the critic; None for that of the policy.
        variants: names of models, for example ``["nops", "hypermarl_mlp"]``.

    Raises:
        ValueError: for an unknown variant, with the known ones.
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
    ):
        self.variants = {name: registered(name).get_from_yaml() for name in variants}
        super().__init__(
            algorithm_configs, model_config, tasks, seeds, experiment_config, critic_model_config
        )

    @property
    def n_experiments(self) -> int:
        """The number of experiments in the benchmark."""
        return super().n_experiments * len(self.variants)

    def get_experiments(self) -> Iterator[Experiment]:
        """Yield one experiment at a time: for each of BenchMARL's, one per variant."""
        for algorithm in self.algorithm_configs:
            for task in self.tasks:
                for seed in self.seeds:
                    for name in self.variants:
                        yield self._experiment(algorithm, task, seed, name)

    def _experiment(self, algorithm: Any, task: Any, seed: int, variant: str) -> Experiment:
        sharing = read_yaml(CONF / "run.yaml")["sharing"]
        flags = {key: value for key, value in sharing.items() if hasattr(algorithm, key)}
        label = f"{algorithm.associated_class().__name__.lower()}_{variant}"
        return ResumableExperiment(
            task=task,
            algorithm_config=replace(algorithm, **flags),
            model_config=taking_over(self.variants[variant], self.model_config),
            critic_model_config=taking_over(self.variants[variant], self.critic_model_config),
            seed=seed,
            config=self.experiment_config,
            callbacks=[ResultsCallback(label), AbsoluteMetricCallback()],
        )


def taking_over(variant: ModelConfig, model: ModelConfig) -> ModelConfig:
    """The variant's configuration, with the values of those fields that both have."""
    known = {field.name for field in fields(variant) if field.init}
    shared = {f.name: getattr(model, f.name) for f in fields(model) if f.name in known}
    return replace(variant, **shared)
