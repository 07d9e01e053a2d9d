"""Policies that are as diverse as one asks for."""

import pytest
import torch
from benchmarl.models import MlpConfig, SequenceModelConfig
from support.benchmarl_requests import config_of as variants_config
from support.benchmarl_requests import group_spec, policy
from support.dico_runs import A, F, N, config_of, outputs, run_with
from support.experiments import TASKS, algorithm_config, experiment
from tensordict.nn import mappings
from torch import nn
from torchrl.data import Bounded, Categorical, Composite, Unbounded

from benchmarl_hyper import DicoCallback
from benchmarl_hyper.export.agent_networks import agent_parameters
from benchmarl_hyper.measures.diversity import snd, w2_distances
from benchmarl_hyper.running.experiment_parts import buffers, policy_model

LOW, HIGH = -1.0, 2.0


def action_spec(n=N, spec=None):
    spec = Bounded(LOW, HIGH, (n, A)) if spec is None else spec
    return Composite(agents=Composite(action=spec, shape=(n,)))


def model_of(n_agents=N, key="logits", **changes):
    n_outputs = {"logits": 2 * A, "param": A}[key]
    return policy(
        config_of(**changes), n_agents, F,
        output_spec=group_spec(n_agents, **{key: n_outputs}), action_spec=action_spec(n_agents),
    )  # fmt: skip


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


# All pairs of two of the three, as in a Latin square
PAIRS = [
    (task, algorithm, (1.2, 0, -1)[(i + j) % 3])
    for i, task in enumerate(TASKS)
    for j, algorithm in enumerate(("ippo", "mappo", "isac", "masac", "iddpg", "maddpg"))
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "algorithm", "desired_snd"), PAIRS)
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
