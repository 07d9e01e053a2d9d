import re
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarl.algorithms import IppoConfig, MasacConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import Experiment
from benchmarl.hydra_config import load_model_config_from_hydra
from benchmarl.models import MlpConfig
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from support.experiments import experiment_config, one_group
from support.extras import needs
from torch import nn

from benchmarl_hyper import (
    DicoCallback,
    HypermarlMlpConfig,
    KaleidoscopeCallback,
    LorasaCallback,
    SepsCallback,
    SndCallback,
    VariantBenchmark,
)
from benchmarl_hyper.benchmark import load_variant, taking_over
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.report.reading import results

MLP = replace(MlpConfig.get_from_yaml(), num_cells=[8, 4], activation_class=nn.ReLU)


def three_agents():
    return VmasTask.NAVIGATION.get_task({"max_steps": 4, "n_agents": 3})


def benchmark(
    folder, variants, algorithms=(IppoConfig,), seeds=frozenset({0}), task=one_group, **others
):
    return VariantBenchmark(
        algorithm_configs=[algorithm.get_from_yaml() for algorithm in algorithms],
        model_config=MLP,
        tasks=[task()],
        seeds=seeds,
        experiment_config=experiment_config(folder),
        variants=variants,
        **others,
    )


def test_seeds_can_be_trained_at_once(tmp_path):
    suite = benchmark(tmp_path, ["nops", "fups_id"], seeds={4, 1, 2}, together=True)
    assert suite.n_experiments == 2
    suite.run_sequential()
    runs = results.read([tmp_path]).runs
    assert sorted((run.label, run.seed) for run in runs) == [
        (f"ippo_{variant}", seed) for variant in ("fups_id", "nops") for seed in "124"
    ]


def test_one_seed_together_is_an_experiment(tmp_path):
    suite = benchmark(tmp_path, ["nops"], together=True)
    assert isinstance(next(suite.get_experiments()), Experiment)
    assert suite.n_experiments == 1


@pytest.mark.parametrize(
    ("variant", "algorithm", "message"),
    [
        ("nops", MasacConfig, r"algorithm Masac is not supported .*-m seed=1,3"),
        ("dico", IppoConfig, "variants with a method are not supported"),
    ],
)
def test_what_cannot_be_trained_at_once_is_refused_at_construction(
    variant, algorithm, message, tmp_path
):
    with pytest.raises(ValueError, match=message):
        benchmark(tmp_path, [variant], (algorithm,), {1, 3}, together=True)


@pytest.mark.slow
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


def test_what_a_variant_sets_itself_is_not_taken_over():
    model = replace(HypermarlMlpConfig.get_from_yaml(), num_cells=[3])
    unit = load_variant("hypermarl_mlp_unit").model
    other = taking_over(unit, model)
    assert (other.code_norm, other.num_cells) == ("unit", [3])


NAMES = sorted(path.stem for path in (CONF / "variant").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_variant_of_the_runner_is_one_of_the_benchmark(name):
    variant = load_variant(name)
    cfg = compose_runner(f"variant={name}")
    assert variant.model == load_model_config_from_hydra(cfg.model)
    assert variant.critic_model == load_model_config_from_hydra(cfg.critic_model)
    assert variant.method == cfg.get("method")


def compose_runner(*overrides):
    with initialize_config_module("benchmarl_hyper.conf", version_base=None):
        path = "hydra.searchpath=[pkg://benchmarl.conf]"
        return compose("run", ["algorithm=ippo", "task=vmas/balance", path, *overrides])


def own_variant(folder, name, text):
    (folder / "variant").mkdir()
    (folder / "variant" / f"{name}.yaml").write_text(
        f"# @package _global_\n{text}", encoding="utf-8"
    )


SOON = {"seps": {"pretraining_frames": 8}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "callback"),
    [
        pytest.param("seps", SepsCallback, marks=needs("seps")),
        ("kaleidoscope", KaleidoscopeCallback),
        ("dico", DicoCallback),
        ("lorasa", LorasaCallback),
    ],
)
def test_methods_come_with_their_callbacks(name, callback, tmp_path):
    own_variant(tmp_path, "mine", f"defaults: [{name}, _self_]\nmethod: {SOON.get(name, {})}\n")
    suite = benchmark(tmp_path, ["mine"], seeds={0, 1}, task=three_agents, config_dir=tmp_path)
    ours = []
    for run in suite.get_experiments():
        ours += [one for one in run.callbacks if isinstance(one, callback)]
        run.close()
    first, second = ours
    assert first is not second


def test_variants_of_ones_own(tmp_path):
    folder = Path(__file__).parents[1] / "examples" / "my_variants"
    (run,) = benchmark(tmp_path, ["hypermarl_wide"], config_dir=folder).get_experiments()
    assert run.model_config.embedding_dim == run.critic_model_config.embedding_dim == 16
    run.close()


def test_an_application_keeps_its_hydra_state(tmp_path):
    with initialize_config_module("benchmarl_hyper.conf", job_name="mine", version_base=None):
        mine = GlobalHydra.instance().hydra
        load_variant("nops", tmp_path)
        assert GlobalHydra.instance().hydra is mine


def test_variants_that_set_more_are_refused(tmp_path):
    own_variant(tmp_path, "fast", "defaults: [fups, _self_]\nexperiment: {lr: 0.5}\n")
    with pytest.raises(ValueError, match=r"variant 'fast' sets experiment\.lr"):
        load_variant("fast", tmp_path)


def test_unknown_variants_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(
        ValueError,
        match="unknown variant 'nosp'; did you mean 'nops'; the known ones are cash, dico, fups",
    ):
        benchmark(tmp_path, ["nosp"])


@pytest.mark.parametrize(
    ("twins", "message"),
    [
        ({"algorithms": (IppoConfig, IppoConfig)}, "algorithm_configs has more than one 'ippo'"),
        ({"tasks": 2}, "tasks has more than one 'vmas/navigation'"),
        ({"variants": ["nops", "fups", "nops"]}, "variants has more than one 'nops'"),
    ],
)
def test_results_that_would_share_a_label_are_refused_before_anything_runs(
    tmp_path, twins, message
):
    tasks = [one_group(), three_agents()][: twins.pop("tasks", 1)]
    arguments = {"variants": ["nops"], "algorithms": (IppoConfig,), **twins}
    algorithms = [algorithm.get_from_yaml() for algorithm in arguments["algorithms"]]
    with pytest.raises(ValueError, match=f"{message}.*save_folder of its own"):
        VariantBenchmark(
            algorithms, MLP, tasks, {0}, experiment_config(tmp_path), variants=arguments["variants"]
        )


def test_a_quiet_benchmark_prints_a_line_per_run_and_measures_with_callbacks(tmp_path, capfd):
    suite = benchmark(tmp_path, ["nops"], callbacks=[SndCallback])
    capfd.readouterr()
    suite.run_sequential(quiet=True)
    out, err = capfd.readouterr()
    assert re.fullmatch(r"1 of 1 done: ippo_nops on vmas/navigation, seed 0, \d+ s\n", out)
    assert err == ""
    (lines,) = tmp_path.rglob("diagnostics.jsonl")
    assert '"name": "snd", "value"' in lines.read_text(encoding="utf-8")


def test_a_quiet_benchmark_names_the_seeds_that_are_trained_at_once(tmp_path, capsys):
    suite = benchmark(tmp_path, ["nops"], seeds={2, 1}, together=True, callbacks=[SndCallback])
    suite.run_sequential(quiet=True)
    assert "1 of 1 done: ippo_nops on vmas/navigation, seeds 1, 2, " in capsys.readouterr().out
    assert len([*tmp_path.rglob("diagnostics.jsonl")]) == 2
