"""Variants under algorithms: collect, train, evaluate."""

import pytest
import torch
from benchmarl.algorithms import EnsembleAlgorithmConfig
from benchmarl.experiment import Experiment
from benchmarl.models import EnsembleModelConfig, MlpConfig
from support.benchmarl_requests import MODELS, config_of
from support.experiments import (
    TASKS,
    algorithm_config,
    check_training,
    experiment,
    in_turn,
    trained_parameters,
    two_groups,
)
from torch import nn


def test_uncoupled_discrete_masac_with_two_groups_fails_in_benchmarl_itself(tmp_path):
    """Why ``in_turn`` leaves it out. When this fails, upstream has mended it: put it in."""
    mlp = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)
    with pytest.raises(KeyError, match="inputs are None"):
        experiment(tmp_path, mlp, "masac", two_groups, continuous=False).run()


# Models meet all algorithms in the same few ways, of which these are one each: a model meets two of
# them, and a way several models. Two models meet all algorithms, each on another kind of task:
# without learned embeddings and with them.
ONE_OF_EACH = [
    ("mappo", False, "global_state"),
    ("isac", True, "two_groups"),
    ("ippo", True, "one_group"),
    ("maddpg", True, "one_group"),
    ("qmix", False, "one_group"),
]
OF_ALL = {"nops": in_turn(0), "hypermarl_mlp": in_turn(1)}
CASES = [
    (variant, *case)
    for i, variant in enumerate(MODELS)
    for case in OF_ALL.get(variant, [ONE_OF_EACH[(i + j) % len(ONE_OF_EACH)] for j in (0, 2)])
    # One of the two groups is one agent, which leaves the hypernetwork nothing to train
    if (variant, case[-1]) != ("hypermarl", "two_groups")
]


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "algorithm", "continuous", "task"), CASES)
def test_trains_and_evaluates(variant, algorithm, continuous, task, tmp_path):
    run = experiment(tmp_path, variant, algorithm, TASKS[task], continuous)
    check_training(run)


def test_a_group_of_one_agent_trains_the_network_of_all(tmp_path):
    run = experiment(tmp_path, "hypermarl", "ippo", two_groups)
    assert sorted(map(len, run.group_map.values())) == [1, 2]
    before = {group: shared(run, group) for group in run.group_map}
    run.run()
    for group, offsets in before.items():
        for old, new in zip(offsets, shared(run, group), strict=True):
            assert new.isfinite().all()
            assert not torch.equal(old, new)


def shared(run, group):
    """The offsets of a policy, copied."""
    parameters = run.losses[group].named_parameters()
    return [x.detach().clone() for name, x in parameters if "actor" in name and "offset" in name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "task"),
    [
        ("mappo", "two_groups"),
        ("mappo", "global_state"),
        ("maddpg", "one_group"),
        ("maddpg", "two_groups"),
        ("masac", "one_group"),
        ("masac", "global_state"),
    ],
)
def test_fups_trains_with_one_shared_critic(algorithm, task, tmp_path):
    config = algorithm_config(algorithm, share_param_critic=True)
    experiment(tmp_path, "fups", config, TASKS[task]).run()


def test_fups_trains_with_coupled_values(tmp_path):
    config = algorithm_config("masac", share_param_critic=True, coupled_discrete_values=True)
    experiment(tmp_path, "fups", config, continuous=False).run()


def test_per_agent_critic_is_refused_before_training(tmp_path):
    config = algorithm_config("mappo", share_param_critic=True)
    with pytest.raises(ValueError, match=r"group 'agents'.*algorithm\.share_param_critic=False"):
        experiment(tmp_path, "hypermarl_mlp", config)


@pytest.mark.slow
@pytest.mark.parametrize("critic", sorted(MODELS))
def test_policy_and_critic_may_differ(critic, tmp_path):
    experiment(tmp_path, "hypermarl_mlp", "mappo", critic_model=config_of(critic)).run()


def test_ensembles_of_algorithms_and_models(tmp_path):
    algorithms = EnsembleAlgorithmConfig(
        {"adversary": algorithm_config("masac"), "agent": algorithm_config("isac")}
    )
    models = EnsembleModelConfig(
        {"adversary": config_of("hypermarl_mlp"), "agent": config_of("fups_id")}
    )
    experiment(tmp_path, models, algorithms, two_groups).run()


def test_one_config_for_policy_and_critic(tmp_path):
    """BenchMARL then marks the policy as a critic too; its gain must not follow."""
    config = config_of("nops")
    run = experiment(tmp_path, config, "ippo", critic_model=config)
    weights = run.losses["agents"].actor_network_params.flatten_keys(".")
    (last,) = (value for key, value in weights.items() if key.endswith("generator.2.weight"))
    torch.testing.assert_close(
        torch.linalg.matrix_norm(last, 2), torch.full((2,), 0.01), rtol=1e-4, atol=0
    )
    run.close()


RELOADED = [(variant, "masac") for variant in MODELS]
RELOADED += [(variant, algorithm) for variant in OF_ALL for algorithm in ("mappo", "iql")]


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "algorithm"), RELOADED)
def test_a_reloaded_experiment_computes_the_same(variant, algorithm, tmp_path):
    continuous = algorithm != "iql"
    run = experiment(tmp_path, variant, algorithm, continuous=continuous, checkpoint_at_end=True)
    run.run()
    (checkpoint,) = (run.folder_name / "checkpoints").iterdir()
    again = Experiment.reload_from_file(str(checkpoint))
    batch = run.replay_buffers["agents"].sample()
    losses = []
    for loss in (run.losses["agents"], again.losses["agents"]):
        torch.manual_seed(0)
        losses.append(loss(batch.clone()))
    for key, value in losses[0].items():
        assert torch.equal(value, losses[1][key]), key
    again.close()


@pytest.mark.parametrize("algorithm", ["ippo", "isac"])
def test_one_hot_ids_stay_one_hot(algorithm, tmp_path):
    run = experiment(tmp_path, config_of("hypermarl_mlp", embedding_dim=None), algorithm)
    run.run()
    tables = [
        value
        for key, value in run.losses["agents"].state_dict().items()
        if key.endswith("embedding.table") and value.is_floating_point()
    ]
    assert len(tables) >= 2
    for table in tables:
        assert torch.equal(table, torch.eye(2).expand_as(table))


@pytest.mark.parametrize("algorithm", ["ippo", "iql"])
def test_trains_on_the_id_alone(algorithm, tmp_path):
    config = config_of("fups_id", use_observation=False)
    run = experiment(tmp_path, config, algorithm, continuous=algorithm == "ippo")
    before = [parameter.detach().clone() for parameter in trained_parameters(run)]
    run.run()
    for old, new in zip(before, trained_parameters(run), strict=True):
        assert not torch.equal(old, new)
