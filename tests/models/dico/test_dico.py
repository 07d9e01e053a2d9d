"""Policies that are as diverse as one asks for."""

from dataclasses import replace

import pytest
import torch
from benchmarl.experiment import Experiment
from benchmarl.models import MlpConfig, SequenceModelConfig
from support.benchmarl_requests import config_of as variants_config
from support.benchmarl_requests import group_spec, policy
from support.experiments import TASKS, algorithm_config, experiment, one_group, two_groups
from tensordict import TensorDict
from tensordict.nn import mappings
from torch import nn
from torchrl.data import Bounded, Categorical, Composite, Unbounded

from benchmarl_hyper import DicoCallback, DicoConfig
from benchmarl_hyper.diagnostics.policy_outputs import group_distances
from benchmarl_hyper.export.agent_networks import agent_parameters
from benchmarl_hyper.measures.diversity import snd, w2_distances
from benchmarl_hyper.models.dico.callback import action_space_loss
from benchmarl_hyper.running.experiment_parts import buffers, policy_model

N, F, A = 3, 5, 2
LOW, HIGH = -1.0, 2.0


def config_of(**changes):
    return replace(DicoConfig.get_from_yaml(), **{"num_cells": [8, 8], **changes})


def action_spec(n=N, spec=None):
    spec = Bounded(LOW, HIGH, (n, A)) if spec is None else spec
    return Composite(agents=Composite(action=spec, shape=(n,)))


def model_of(n_agents=N, key="logits", **changes):
    n_outputs = {"logits": 2 * A, "param": A}[key]
    return policy(
        config_of(**changes), n_agents, F,
        output_spec=group_spec(n_agents, **{key: n_outputs}), action_spec=action_spec(n_agents),
    )  # fmt: skip


def run_with(folder, algorithm="ippo", task=one_group, **changes):
    model = changes.pop("model", {})
    critic_model = changes.pop("critic_model", variants_config("nops"))
    callbacks = [DicoCallback.get_from_yaml(**changes.pop("method", {}))]
    return experiment(
        folder, config_of(**model), algorithm, task, critic_model=critic_model, callbacks=callbacks,
        **changes,
    )  # fmt: skip


def outputs(model, observation):
    td = TensorDict({"agents": TensorDict({"observation": observation})})
    return model(td)["agents"][model.out_key[-1]]


def means_on_everything(model, observation):
    """``[n, steps * n, A]``: what each agent would do for what each agent saw."""
    rows = observation.reshape(-1, 1, F).expand(-1, N, F)
    return outputs(model, rows)[..., :A].transpose(0, 1)


# --- The policy


@pytest.mark.parametrize("key", ["logits", "param"])
@pytest.mark.parametrize("batch", [(), (4,), (4, 6)])
def test_means_are_shared_ones_and_scaled_deviations(key, batch):
    model, observation = model_of(key=key), torch.randn(*batch, N, F)
    model.estimate.fill_(0.3)
    with torch.no_grad():
        got = outputs(model, observation)
        common = outputs(model.shared, observation)
        own = outputs(model.own, observation)
    squashed = LOW + (HIGH - LOW) * (common[..., :A].tanh() + 1) / 2
    expected = torch.cat([squashed + 1.2 / 0.3 * own, common[..., A:]], -1)
    torch.testing.assert_close(got, expected)


def test_the_diversity_of_the_policies_is_the_desired_one():
    model, observation = model_of(desired_snd=0.7, tau=1.0), torch.randn(50, N, F)
    outputs(model, observation)  # with gradients: estimates
    with torch.no_grad():
        means = means_on_everything(model, observation)
    torch.testing.assert_close(snd(w2_distances(means)), torch.tensor(0.7))


def test_a_forward_with_gradients_puts_out_the_same():
    model, observation = model_of(), torch.randn(4, 6, N, F)
    outputs(model, observation)
    with model.fixed_estimate():
        once = outputs(model, observation)
    again = outputs(model, observation)  # the same observations: the estimate stays
    torch.testing.assert_close(once, again)
    with torch.no_grad():
        torch.testing.assert_close(outputs(model, observation), again)


@pytest.mark.parametrize(("desired", "scaling"), [(0, 0), (-1, 1)])
def test_no_diversity_and_no_constraint(desired, scaling):
    model, observation = model_of(desired_snd=desired), torch.randn(4, N, F)
    got = outputs(model, observation)
    assert model.estimate.isnan()
    assert model.scaling(model.estimate) == scaling
    same = outputs(model, observation[:, :1].expand(-1, N, -1))
    assert torch.equal(same[:, 0], same[:, 1]) == (desired == 0)
    assert got.isfinite().all()


def test_one_agent_deviates_unscaled():
    model = model_of(1)
    got = outputs(model, torch.randn(4, 1, F))
    assert got.isfinite().all()
    assert model.scaling(torch.tensor(0.1)) == 1
    assert model.estimate.isnan()


@pytest.mark.parametrize("bootstrap", [False, True])
def test_the_estimate_moves_by_tau_where_gradients_are_wanted(bootstrap):
    model = model_of(tau=0.25, bootstrap_from_desired_snd=bootstrap)
    batches = torch.randn(2, 20, N, F)

    def measured(observation):
        with torch.no_grad():
            rows = observation.reshape(-1, 1, F).expand(-1, N, F)
            return snd(w2_distances(outputs(model.own, rows).transpose(0, 1)))

    with torch.no_grad():
        outputs(model, batches[0])
    assert model.estimate.isnan()
    first = 1.2 if bootstrap else measured(batches[0])
    expected = 0.75 * first + 0.25 * measured(batches[0])
    outputs(model, batches[0])
    torch.testing.assert_close(model.estimate, expected)
    outputs(model, batches[1])
    torch.testing.assert_close(model.estimate, 0.75 * expected + 0.25 * measured(batches[1]))
    kept = model.estimate.clone()
    with model.fixed_estimate():
        outputs(model, batches[0])
    assert torch.equal(model.estimate, kept)


def test_the_gradient_of_the_scaling_has_weight_tau():
    """With tau = 1 the diversity is constant, so that it has no gradient at all."""
    observation = torch.randn(20, N, F)
    for tau, constant in ((1.0, True), (0.01, False)):
        model = model_of(tau=tau)
        outputs(model, observation)
        x = observation.reshape(-1, 1, F).expand(-1, N, F)
        diversity = snd(w2_distances(outputs(model, x)[..., :A].transpose(0, 1)))
        gradients = torch.autograd.grad(diversity, list(model.own.parameters()), allow_unused=True)
        largest = max(g.abs().max() for g in gradients if g is not None)
        assert (largest < 1e-5) == constant


# --- In BenchMARL


@pytest.mark.parametrize("use_tanh_normal", [True, False])
@pytest.mark.parametrize("scale_mapping", ["biased_softplus_1.0", "exp"])
@pytest.mark.parametrize("algorithm", ["ippo", "masac"])
def test_the_distribution_is_the_specified_one(algorithm, scale_mapping, use_tanh_normal, tmp_path):
    """The mean is not mapped by the algorithm, and the deviation is the mapped shared output."""
    changes = {"scale_mapping": scale_mapping, "use_tanh_normal": use_tanh_normal}
    run = run_with(tmp_path, algorithm_config(algorithm, **changes))
    run.close()
    actor = run.algorithm.get_policy_for_loss("agents")
    dico = policy_model(actor)
    dico.estimate.fill_(0.2)
    td = run.test_env.reset().select(("agents", "observation"))
    with torch.no_grad():
        distribution = actor.get_dist(td.clone())
        common = dico.shared(td.clone())["agents", "logits"]
        own = dico.own(td.clone())["agents", "logits"]
    low, high = dico.low, dico.high
    loc = low + (high - low) * (common[..., :A].tanh() + 1) / 2 + 1.2 / 0.2 * own
    scale = mappings(scale_mapping)(common[..., A:]).clamp_min(1e-4)
    base = distribution.root_dist if use_tanh_normal else distribution
    base = getattr(base, "base_dist", base)
    torch.testing.assert_close(base.loc, loc)
    torch.testing.assert_close(base.scale, scale)


@pytest.mark.slow
@pytest.mark.parametrize("desired_snd", [1.2, 0, -1])
@pytest.mark.parametrize("algorithm", ["ippo", "mappo", "isac", "masac", "iddpg", "maddpg"])
@pytest.mark.parametrize("task", TASKS)
def test_trains(task, algorithm, desired_snd, tmp_path):
    run = run_with(tmp_path, algorithm, TASKS[task], model={"desired_snd": desired_snd})
    group = next(iter(run.group_map))
    model = policy_model(run.algorithm.get_policy_for_loss(group))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    run.run()
    for name, parameter in model.named_parameters():
        assert parameter.isfinite().all()
        unused = desired_snd == 0 and name.startswith("own.")
        assert torch.equal(parameter, before[name]) == unused, name
    assert model.estimate.isnan() == (desired_snd != 1.2)
    for params, key in buffers(run.losses[group], "estimate"):
        torch.testing.assert_close(params[key], model.estimate, equal_nan=True)


def test_what_is_measured_in_evaluation_follows_what_is_asked(tmp_path):
    """The diversity of finished policies, on other observations than those of the estimate."""
    run = run_with(tmp_path, model={"desired_snd": 2.0, "tau": 1.0}, on_policy_minibatch_size=8)
    run.run()
    actor = run.algorithm.get_policy_for_loss("agents")
    rollout = run.test_env.rollout(4, actor)
    with torch.no_grad():
        found = dict(group_distances(actor, [rollout], "agents", "cpu"))
    assert snd(found["snd_loc"]).item() == pytest.approx(2.0, rel=0.2)


def test_checkpoints_keep_the_estimate_and_the_optimiser(tmp_path):
    run = run_with(tmp_path, checkpoint_at_end=True)
    run.run()
    (checkpoint,) = run.folder_name.glob("checkpoints/*")
    again = Experiment.reload_from_file(str(checkpoint))
    models = [policy_model(r.algorithm.get_policy_for_loss("agents")) for r in (run, again)]
    assert models[0].estimate > 0
    assert torch.equal(models[0].estimate, models[1].estimate)
    state = again.callbacks[0].optimisers["agents"].state_dict()["state"]
    assert (
        state[0]["step"] == run.callbacks[0].optimisers["agents"].state_dict()["state"][0]["step"]
    )
    again.close()


# --- The action-space loss


def test_the_loss_is_of_the_agent_that_is_furthest_outside():
    low, high = torch.full((2, 2), -1.0), torch.full((2, 2), 1.0)
    inside = torch.tensor([[0.5, -1.0], [1.0, 0.0]])
    outside = torch.tensor([[4.0, -5.0], [2.0, 0.0]])  # by (3, -4) and (1, 0)
    assert action_space_loss(inside, low, high) == 0
    assert action_space_loss(torch.stack([inside, outside]), low, high) == pytest.approx(25 / 2)


def test_the_loss_draws_means_back(tmp_path):
    run = run_with(tmp_path, method={"action_loss_lr": 1e-2}, model={"desired_snd": 20.0})
    batch = next(iter(run.collector)).reshape(-1)
    model = policy_model(run.algorithm.get_policy_for_loss("agents"))
    outputs(model, batch["agents", "observation"])
    estimate = model.estimate.clone()
    losses = [
        run.callbacks[0].on_train_step(batch, "agents")["loss_action_space"] for _ in range(30)
    ]
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(model.estimate, estimate)
    assert all(p.grad is None for p in model.parameters())
    run.close()


def test_there_may_be_no_such_loss(tmp_path):
    run = run_with(tmp_path, method={"action_loss_lr": None})
    run.run()
    names = {file.stem for file in run.folder_name.rglob("train_agents_*.csv")}
    assert {"train_agents_estimated_snd", "train_agents_scaling"} <= names
    assert "train_agents_loss_action_space" not in names


# --- Errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"desired_snd": -0.5}, "desired_snd must be positive, 0 .* or -1 .* got -0.5"),
        ({"tau": 0.0}, "tau must be above 0 and at most 1, got 0.0"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(**changes)


def test_discrete_actions_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"'agents' has discrete actions.*prefer_continuous_actions"
    ):
        run_with(tmp_path, continuous=False)
    spec = action_spec(spec=Categorical(4, (N,)))
    with pytest.raises(ValueError, match="'agents' has discrete actions"):
        policy(config_of(), N, F, output_spec=group_spec(N, action_value=4), action_spec=spec)


def test_critics_and_hidden_layers_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"not \('agents', 'state_value'\); set another critic_model"
    ):
        run_with(tmp_path, critic_model=config_of())
    mlp = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)
    with pytest.raises(ValueError, match="in a sequence, make dico the last model"):
        experiment(tmp_path, SequenceModelConfig([config_of(), mlp], [4]))


def test_it_may_be_last_in_a_sequence(tmp_path):
    mlp = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)
    callbacks = [DicoCallback.get_from_yaml()]
    model, critic = SequenceModelConfig([mlp, config_of()], [4]), variants_config("nops")
    experiment(tmp_path, model, critic_model=critic, callbacks=callbacks).run()


def test_unbounded_actions_are_not_squashed():
    spec = action_spec(spec=Unbounded((N, A)))
    spec["agents", "action"].space.low.fill_(-torch.inf)
    arguments = {"output_spec": group_spec(N, logits=2 * A), "action_spec": spec}
    with pytest.raises(ValueError, match=r"have no bounds.* set model.process_shared=False"):
        policy(config_of(), N, F, **arguments)
    model = policy(config_of(process_shared=False), N, F, **arguments)
    assert outputs(model, torch.randn(4, N, F)).isfinite().all()


def test_it_is_not_one_network_per_agent():
    with pytest.raises(ValueError, match="is a Dico, which is not one plain network per agent"):
        agent_parameters(model_of())


def test_groups_of_one_agent_have_no_callback(tmp_path):
    run = run_with(tmp_path, task=two_groups)
    assert set(run.callbacks[0].optimisers) == {"adversary"}
    run.close()


def test_happo_is_refused(tmp_path):
    config = replace(algorithm_config("happo"), share_param_critic=False)
    with pytest.raises(
        ValueError, match=r"asked for 1 of the 2 agents of group 'agents'.*of happo"
    ):
        run_with(tmp_path, config)
