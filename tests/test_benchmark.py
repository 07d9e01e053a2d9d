from dataclasses import replace

import pytest
from benchmarl.algorithms import IppoConfig, MasacConfig
from benchmarl.experiment import Experiment
from benchmarl.models import MlpConfig
from support.experiments import experiment_config, one_group
from torch import nn

from benchmarl_hyper import HypermarlMlpConfig, VariantBenchmark
from benchmarl_hyper.benchmark import taking_over
from benchmarl_hyper.report.reading import results

MLP = replace(MlpConfig.get_from_yaml(), num_cells=[8, 4], activation_class=nn.ReLU)


def benchmark(folder, variants, algorithms=(IppoConfig,), seeds=frozenset({0}), **others):
    return VariantBenchmark(
        algorithm_configs=[algorithm.get_from_yaml() for algorithm in algorithms],
        model_config=MLP,
        tasks=[one_group()],
        seeds=seeds,
        experiment_config=experiment_config(folder),
        variants=variants,
        **others,
    )


def test_every_variant_is_run_and_labelled(tmp_path):
    suite = benchmark(tmp_path, ["nops", "hypermarl_mlp"], (IppoConfig, MasacConfig), {0, 1})
    assert suite.n_experiments == 8
    suite.run_sequential()
    runs = results.read([tmp_path]).runs
    assert sorted({run.label for run in runs}) == [
        f"{algorithm}_{variant}"
        for algorithm in ("ippo", "masac")
        for variant in ("hypermarl_mlp", "nops")
    ]
    assert {run.seed for run in runs} == {"0", "1"}
    assert len(runs) == 8
    assert {len(run.absolute["return"]) for run in runs} == {20}


def test_variants_have_the_target_network_and_critics_per_agent(tmp_path):
    critic = replace(MLP, num_cells=[6])
    suite = benchmark(tmp_path, ["hypermarl_mlp"], (MasacConfig,), critic_model_config=critic)
    (run,) = suite.get_experiments()
    assert isinstance(run, Experiment)
    assert run.algorithm_config.share_param_critic is False
    policy, value = run.model_config, run.critic_model_config
    assert (list(policy.num_cells), list(value.num_cells)) == ([8, 4], [6])
    assert policy.activation_class is nn.ReLU
    assert policy.embedding_dim == HypermarlMlpConfig.get_from_yaml().embedding_dim
    run.close()


def test_settings_of_a_hypernetwork_are_taken_over_by_those_that_have_them():
    model = replace(HypermarlMlpConfig.get_from_yaml(), embedding_dim=9, num_cells=[3])
    other = taking_over(HypermarlMlpConfig.get_from_yaml(), model)
    assert (other.embedding_dim, other.num_cells) == (9, [3])


def test_unknown_variants_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match="unknown model 'nosp'; the known ones are"):
        benchmark(tmp_path, ["nosp"])
