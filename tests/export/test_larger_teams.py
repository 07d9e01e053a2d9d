from dataclasses import replace

import pytest
import torch
from benchmarl.environments import VmasTask
from benchmarl.models import MlpConfig
from support.benchmarl_requests import call, config_of
from support.experiments import algorithm_config, experiment, two_groups
from support.run_folders import checkpoint_in, contents
from support.tiny_task import tiny_task

from benchmarl_hyper.export.agent_networks import agent_networks
from benchmarl_hyper.export.larger_teams import INITS, add_agents, grown_rows
from benchmarl_hyper.running.experiment_parts import policy_model
from benchmarl_hyper.tasks.games import GamesTask

LEARNED = ["hypermarl_mlp", "hypermarl_lowrank"]
N, M = 2, 5


def team_of(n):
    return lambda: VmasTask.NAVIGATION.get_task({"max_steps": 4, "n_agents": n})


def trained(folder, model, algorithm="ippo", task=None, **changes):
    folder.mkdir()
    run = experiment(
        folder, model, algorithm, task or team_of(N), checkpoint_at_end=True, lr=1e-3, **changes
    )
    run.run()
    return run, checkpoint_in(run.folder_name)


def model_in(run, group="agents"):
    return policy_model(run.algorithm.get_policy_for_loss(group))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


# --- Rows


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize(("n", "d", "k"), [(1, 4, 2), (3, 4, 1), (3, 4, 8), (9, 4, 3), (3, 4, 0)])
def test_trained_rows_stay(init, n, d, k):
    rows = torch.randn(n, d)
    grown = grown_rows(rows, k, init, rng())
    assert grown.shape == (n + k, d)
    assert torch.equal(grown[:n], rows)


def test_new_rows():
    rows = torch.tensor([[0.0, 3.0], [0.0, 1.0], [0.0, -1.0], [0.0, 0.2]])  # mean 0.8
    assert torch.allclose(grown_rows(rows, 2, "mean", rng())[4:], torch.tensor([0.0, 0.8]))
    nearest = grown_rows(rows, 5, "nearest", rng())[4:]
    assert torch.equal(nearest, rows[[1, 3, 2, 0, 1]])
    table = torch.randn(3, 4)
    norm = table.norm(dim=1).mean()
    for k in (2, 7):
        new = grown_rows(table, k, "random", rng())[3:]
        assert torch.equal(new, grown_rows(table, k, "random", rng())[3:])
        assert not torch.equal(new, grown_rows(table, k, "random", rng(1))[3:])
        torch.testing.assert_close(new.norm(dim=1), norm.expand(k))
    orthogonal = grown_rows(table, 2, "random", rng())[3:]
    assert abs(orthogonal[0] @ orthogonal[1]) < 1e-5


def test_unknown_init(tmp_path):
    for call_it in (
        lambda: grown_rows(torch.zeros(1, 1), 1, "best", rng()),
        lambda: add_agents(None, tmp_path, "best"),
    ):
        with pytest.raises(
            ValueError, match="init must be one of mean, nearest, random, got 'best"
        ):
            call_it()


# --- Teams


@pytest.mark.parametrize("variant", LEARNED)
def test_a_team_grows_and_runs(variant, tmp_path):
    run, checkpoint = trained(tmp_path / "old", variant)
    before = contents(run.folder_name)
    new = experiment(tmp_path, variant, task=team_of(M), lr=1e-3)
    assert add_agents(new, checkpoint, "mean", trust=True) == []  # the critic of ippo grows, too
    assert contents(run.folder_name) == before
    old_model, model = model_in(run), model_in(new)
    trained_parameters = dict(old_model.named_parameters())
    for name, parameter in model.named_parameters():
        was = trained_parameters[name]
        grew = parameter.shape != was.shape
        assert grew == name.endswith("embedding.table")
        assert torch.equal(parameter[:N] if grew else parameter, was)
    observation = torch.randn(7, M, model.sizes[0])
    with torch.no_grad():
        torch.testing.assert_close(
            call(model, observation)[:, :N], call(old_model, observation[:, :N])
        )
        # A new agent is the network of the mean embedding.
        old_model.generator.embedding.table.copy_(
            old_model.generator.embedding.table.mean(0, keepdim=True).expand(N, -1)
        )
    expected = agent_networks(old_model)[0](observation[:, N])
    torch.testing.assert_close(agent_networks(model)[N](observation[:, N]), expected)
    rollout = new.test_env.rollout(3, new.policy)
    assert rollout["agents", "action"].shape[-2] == M
    assert torch.isfinite(rollout["agents", "action"]).all()
    new.run()


@pytest.mark.parametrize("variant", ["hypermarl", "hypermarl_lowrank"])
def test_trained_agents_keep_the_centre_of_their_codes(variant, tmp_path):
    """With chosen steps, weights are written from an agent's difference to its team."""
    config = config_of(variant, step_norm="unit")
    run, checkpoint = trained(tmp_path / "old", config)
    new = experiment(tmp_path, config, task=team_of(M))
    assert add_agents(new, checkpoint, "random", trust=True) == []
    old_model, model = model_in(run), model_in(new)
    observation = torch.randn(7, M, model.sizes[0])
    with torch.no_grad():
        torch.testing.assert_close(
            call(model, observation)[:, :N], call(old_model, observation[:, :N])
        )
    new.run()


@pytest.mark.slow
def test_random_agents_depend_on_the_seed(tmp_path):
    _, checkpoint = trained(tmp_path / "old", "hypermarl_mlp")
    tables = []
    for seed in (0, 0, 1):
        new = experiment(tmp_path, "hypermarl_mlp", task=team_of(M))
        add_agents(new, checkpoint, "random", seed, trust=True)
        tables.append(model_in(new).generator.embedding.table.detach())
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "fresh"),
    [
        ("mappo", ["agents.critic_network"]),
        ("masac", ["agents.qvalue_network", "agents.target_qvalue_network"]),
        ("isac", []),
        ("qmix", ["agents.mixer_network", "agents.target_mixer_network"]),
        ("iql", []),
    ],
)
def test_what_reads_everybody_starts_afresh(algorithm, fresh, tmp_path):
    kind = {"continuous": algorithm not in ("qmix", "iql")}
    run, checkpoint = trained(tmp_path / "old", "hypermarl_mlp", algorithm, **kind)
    new = experiment(tmp_path, "hypermarl_mlp", algorithm, team_of(M), lr=1e-3, **kind)
    assert add_agents(new, checkpoint, "random", trust=True) == fresh
    old_state, state = run.losses["agents"].state_dict(), new.losses["agents"].state_dict()
    tables = [key for key in state if key.endswith("embedding.table")]
    carried = [key for key in tables if f"agents.{key.partition('_params')[0]}" not in fresh]
    assert len(carried) == {"mappo": 1, "masac": 1, "isac": 3, "qmix": 2, "iql": 2}[algorithm]
    for key in carried:
        assert torch.equal(state[key][..., :N, :], old_state[key])
    if "log_alpha" in state:
        assert torch.equal(state["log_alpha"], old_state["log_alpha"])
    new.run()


@pytest.mark.slow
def test_agents_that_are_all_alike_are_only_more(tmp_path):
    algorithm, model = algorithm_config("ippo", share_param_critic=True), MlpConfig.get_from_yaml()
    run, checkpoint = trained(tmp_path / "old", model, algorithm)
    new = experiment(tmp_path, model, algorithm, team_of(M))
    assert add_agents(new, checkpoint, trust=True) == []
    for one, other in zip(run.policy.parameters(), new.policy.parameters(), strict=True):
        assert torch.equal(one, other)


# --- What cannot grow


@pytest.mark.parametrize(
    ("variant", "name"),
    [("nops", "Nops"), ("fups_id", "FupsId"), ("hypermarl_linear", "HypermarlLinear")],
)
def test_agents_with_weights_of_their_own_are_refused(variant, name, tmp_path):
    _, checkpoint = trained(tmp_path / "old", variant)
    reason = rf"group 'agents' is a {name} and cannot .* \(2, .*now \(5, .* its own weights"
    if variant == "fups_id":
        reason = rf"group 'agents' is a {name} and cannot .*\(1, 20, 8\).*now \(1, 23, 8\)"
    with pytest.raises(ValueError, match=reason):
        add_agents(experiment(tmp_path, variant, task=team_of(M)), checkpoint, trust=True)


def test_one_hot_ids_are_refused(tmp_path):
    model = replace(config_of("hypermarl_mlp"), embedding_dim=None)
    _, checkpoint = trained(tmp_path / "old", model)
    with pytest.raises(ValueError, match=r"table is \(2, 2\) in the checkpoint, now \(5, 5\)"):
        add_agents(experiment(tmp_path, model, task=team_of(M)), checkpoint, trust=True)


def test_other_models_are_refused(tmp_path):
    _, checkpoint = trained(tmp_path / "old", "fups")
    with pytest.raises(ValueError, match="is absent in the checkpoint, now"):
        add_agents(experiment(tmp_path, "hypermarl_mlp", task=team_of(M)), checkpoint, trust=True)


def test_sizes_that_depend_on_the_number_of_agents_are_refused(tmp_path):
    def game(n):
        task = GamesTask[f"SPECIALISATION_{n}"].get_from_yaml()
        task.config["horizon"] = 4
        return lambda: task

    model = config_of("hypermarl_mlp")
    _, checkpoint = trained(tmp_path / "old", model, task=game(2), continuous=False)
    new = experiment(tmp_path, model, task=game(4), continuous=False)
    with pytest.raises(ValueError, match=r"'observation': \(4,\).* with 2 agents.*\(16,\).*with 4"):
        add_agents(new, checkpoint, trust=True)


def test_other_groups_and_fewer_agents_are_refused(tmp_path):
    _, checkpoint = trained(tmp_path / "old", "hypermarl_mlp", task=team_of(3))
    new = experiment(tmp_path, "hypermarl_mlp", task=team_of(2))
    with pytest.raises(ValueError, match="'agents' has 2 agents, fewer than the 3 of the checkpo"):
        add_agents(new, checkpoint, trust=True)
    new = experiment(tmp_path, "hypermarl_mlp", task=two_groups)
    with pytest.raises(
        ValueError, match=r"has groups \['adversary', 'agent'\], but .*\['agents'\]"
    ):
        add_agents(new, checkpoint, trust=True)


def test_a_refused_experiment_is_as_it_was(tmp_path):
    _, checkpoint = trained(tmp_path / "old", "nops", task=tiny_task)
    new = experiment(tmp_path, "hypermarl_mlp", task=tiny_task)
    before = [parameter.clone() for parameter in new.policy.parameters()]
    with pytest.raises(ValueError, match="absent"):
        add_agents(new, checkpoint, trust=True)
    assert all(map(torch.equal, before, new.policy.parameters()))
