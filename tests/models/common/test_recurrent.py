"""Recurrent variants: what equals what, and how hidden states pass from step to step."""

import copy
import pickle

import pytest
import torch
from benchmarl.models import GruConfig
from support.benchmarl_requests import (
    RECURRENT,
    central_critic,
    config_of,
    group_spec,
    policy,
    randomise,
    spectral_norm,
)
from tensordict import TensorDict
from torch import nn
from torchrl.modules import MLP

from benchmarl_hyper.running.rollout_cache import fixed_parameters

N, F, OUT, T = 3, 5, 2, 6
HIDDEN = ("agents", "_hidden_gru_0")
CELLS = [8, 8]
BENCHMARL_GRU = GruConfig(
    hidden_size=6,
    n_layers=2,
    bias=True,
    dropout=0.0,
    compile=False,
    mlp_num_cells=CELLS,
    mlp_layer_class=nn.Linear,
    mlp_activation_class=nn.ReLU,
)


def inputs(model, *batch):
    """Random observations, and episodes that begin in their midst."""
    td = model.input_spec.rand(batch)
    return td.set("is_init", torch.rand(*batch, 1) < 0.3)


def outputs(model, td):
    return model(td.clone()).get(model.out_key)


def stepped(model, td, hidden=None):
    """The same steps one by one, as in a rollout: outputs, and all hidden states."""
    batch, made, states = td.shape[:-1], [], []
    hidden = torch.zeros(*batch, model.n_agents, *model.state_shape) if hidden is None else hidden
    for t in range(td.shape[-1]):
        step = model(td[..., t].clone().set(HIDDEN, hidden))
        hidden = step["next", HIDDEN]
        made.append(step[model.out_key])
        states.append(hidden)
    return torch.stack(made, len(batch)), torch.stack(states, len(batch))


# --- Equal to other networks on the same weights


def benchmarl_twin(model, config, **request):
    """BenchMARL's recurrent model with the weights of ours, which has no encoder."""
    twin = config(BENCHMARL_GRU, **request)
    memory = model.gru.params.data
    if model.input_has_agent_dim:
        twin.gru.params.data.update_(memory)
    else:
        for i, net in enumerate(twin.gru):
            TensorDict.from_module(net).data.update_(memory if twin.share_params else memory[i])
    own = model.agent_parameters().detach()
    if model.output_has_agent_dim:
        if twin.centralised:  # then its networks read the memories of all agents
            weight = own["0", "weight"]
            own["0", "weight"] = torch.cat(
                [weight * (torch.arange(N) == i).view(N, 1, 1) for i in range(N)], -1
            )
        twin.mlp.params.data.update_(own[0] if twin.share_params else own)
    else:
        TensorDict.from_module(twin.mlp[0]).data.update_(own[0])
    return twin


def without_encoder(variant):
    return config_of(variant, encoder_cells=[], n_layers=2)


@pytest.mark.parametrize(("variant", "share"), [("fups_gru", True), ("nops_gru", False)])
def test_policies_equal_the_gru_of_benchmarl(variant, share):
    model = randomise(policy(without_encoder(variant)))
    twin = benchmarl_twin(model, policy, share_params=share)
    td = inputs(model, 4, T)
    torch.testing.assert_close(outputs(model, td), outputs(twin, td))
    step = inputs(model, 4).set(HIDDEN, torch.randn(4, N, *model.state_shape))
    ours, theirs = model(step.clone()), twin(step.clone())
    assert set(ours.keys(True, True)) == set(theirs.keys(True, True))
    for key, value in theirs.items(True, True):
        torch.testing.assert_close(ours[key], value)


@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize(("variant", "share"), [("fups_gru", True), ("nops_gru", False)])
def test_critics_equal_the_gru_of_benchmarl(variant, share, state):
    model = randomise(central_critic(without_encoder(variant), N, F, share, state))
    twin = benchmarl_twin(model, central_critic, share_params=share, state=state)
    td = inputs(model, 4, T)
    torch.testing.assert_close(outputs(model, td), outputs(twin, td))


def by_torch(model, agent, x):
    """One agent's output for one sequence ``[T, in]``: Linear, nn.GRU and an MLP."""
    own, shared = model.agent_parameters().detach()[agent], not model.own_memory
    weight, bias = model.encoder()[0]
    encoder = nn.Linear(*model.encoder_sizes)
    encoder.weight.data = weight[min(agent, len(weight) - 1)].T
    encoder.bias.data = bias[min(agent, len(bias) - 1)]
    memory = model.gru.params.data if shared else model.gru.params.data[agent]
    gru, network = nn.GRU(7, 6), MLP(6, model.sizes[-1], num_cells=CELLS, activation_class=nn.ReLU)
    for key, value in memory["grus", "0"].items():
        getattr(gru, f"{key}_l0").data = value
    with own.to_module(network):
        return network(gru(torch.relu(encoder(x)))[0])


@pytest.mark.parametrize("make", [policy, central_critic])
@pytest.mark.parametrize("variant", RECURRENT)
def test_each_agent_is_a_plain_recurrent_network(variant, make):
    model = randomise(make(config_of(variant)))
    x = torch.randn(4, T, N, F)
    td = group_spec(N, observation=F).zero((4, T)).set(("agents", "observation"), x)
    y = outputs(model, td.set("is_init", torch.zeros(4, T, 1, dtype=torch.bool)))
    for i in range(N):
        seen = x[:, :, i] if make is policy else x.flatten(-2)
        expected = torch.stack([by_torch(model, i, sequence) for sequence in seen])
        torch.testing.assert_close(y[:, :, i], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("state", [True, False])
def test_all_agents_share_the_memory_of_a_generated_critic(state):
    """BenchMARL's gru has one per agent when algorithm.share_param_critic is False."""
    model = central_critic(config_of("hypermarl_gru"), N, F, state=state)
    assert model.gru.params["grus", "0", "weight_hh"].shape == (18, 6)
    twin = central_critic(BENCHMARL_GRU, N, F)
    assert twin.gru.params["grus", "0", "weight_hh"].shape == (N, 18, 6)


# --- Hidden states


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("batch", [(), (4,), (4, 2)])
@pytest.mark.parametrize("variant", RECURRENT)
def test_a_sequence_is_its_steps(variant, batch, n_layers):
    model = randomise(policy(config_of(variant, n_layers=n_layers)))
    td = inputs(model, *batch, T)
    torch.testing.assert_close(stepped(model, td)[0], outputs(model, td), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("variant", RECURRENT)
def test_hidden_states_start_anew_with_an_episode(variant):
    model = randomise(policy(config_of(variant)))
    td = inputs(model, 4, T)
    td["is_init"] = (torch.arange(T) == 3).view(T, 1).expand(4, T, 1)
    carried = stepped(model, td, torch.randn(4, N, *model.state_shape))
    fresh = stepped(model, td)
    for one, other in zip(carried, fresh, strict=True):
        assert torch.equal(one[:, 3:], other[:, 3:])
        assert not torch.isclose(one[:, :3], other[:, :3]).all()
    alone = outputs(model, td[:, 3:])
    torch.testing.assert_close(outputs(model, td)[:, 3:], alone)


@pytest.mark.parametrize("variant", RECURRENT)
def test_a_policy_remembers_what_it_saw(variant):
    model = randomise(policy(config_of(variant)))
    td = inputs(model, 1, T)
    td["is_init"].zero_()
    observation = td["agents", "observation"].requires_grad_()
    gradient = torch.autograd.grad(outputs(model, td)[:, 3].sum(), observation)[0]
    assert gradient[:, :4].any(-1).all()
    assert not gradient[:, 4:].any()


@pytest.mark.parametrize("variant", RECURRENT)
def test_memory_of_an_agent_is_of_its_own_observations(variant):
    model = randomise(policy(config_of(variant)))
    td = inputs(model, 4, T)
    other = td.clone()
    other["agents", "observation"][:, :, 1] += 1
    for one, changed in zip(stepped(model, td), stepped(model, other), strict=True):
        assert not torch.isclose(one[:, :, 1], changed[:, :, 1]).all()
        for i in (0, 2):
            assert torch.equal(one[:, :, i], changed[:, :, i])


def test_the_config_announces_the_hidden_state():
    config = config_of("hypermarl_gru", n_layers=2)
    assert config.is_rnn
    for index in (0, 3):
        model = policy(config, model_index=index)
        ((key, spec),) = config.get_model_state_spec(index).items()
        assert ("agents", key) == model.hidden_key
        assert spec.shape == model.state_shape == (2, 6)


def test_one_agent():
    for variant in RECURRENT:
        model = randomise(policy(config_of(variant), n_agents=1))
        td = inputs(model, T)
        torch.testing.assert_close(stepped(model, td)[0], outputs(model, td), rtol=1e-4, atol=1e-5)
        critic = central_critic(config_of(variant), 1, F, share_params=True)
        assert outputs(critic, inputs(critic, 4, T)).shape == (4, T, 1)


def test_several_inputs_are_joined():
    spec = group_spec(N, position=(2, 2), velocity=(1, 3))
    model = policy(config_of("hypermarl_gru", num_feature_dims=2), input_spec=spec)
    assert model.encoder_sizes == [7, 7]
    assert outputs(model, inputs(model, 4, T)).shape == (4, T, N, OUT)


# --- Initialisation and state


def gates(model):
    return {
        key: value.reshape(-1, 3, 6, *value.shape[model.own_memory + 1 :]).flatten(0, 1)
        for key, value in model.gru.params.data["grus", "0"].items()
    }


@pytest.mark.parametrize("variant", ["hypermarl_gru", "nops_gru"])
def test_memory_starts_as_in_flax(variant):
    model = policy(config_of(variant, encoder_cells=[700]))
    rows = gates(model)
    assert len(rows["weight_hh"]) == (3 * N if variant == "nops_gru" else 3)
    identity = torch.eye(6).expand(len(rows["weight_hh"]), -1, -1)
    torch.testing.assert_close(rows["weight_hh"] @ rows["weight_hh"].mT, identity)
    assert not torch.equal(rows["weight_hh"][0], rows["weight_hh"][1])
    torch.testing.assert_close(rows["weight_ih"].std(), torch.tensor(700**-0.5), rtol=0.05, atol=0)
    assert not rows["bias_ih"].any()
    assert not rows["bias_hh"].any()
    weight, bias = model.encoder()[0]
    torch.testing.assert_close(weight[0] @ weight[0].mT, 2 * torch.eye(F))
    assert not bias.any()
    assert spectral_norm(model, "4") < 0.1


def test_torch_initialisation_is_that_of_torch():
    rows = gates(policy(config_of("hypermarl_gru", init="torch")))
    for value in rows.values():
        assert 0.7 * 6**-0.5 < value.abs().max() <= 6**-0.5


@pytest.mark.parametrize("variant", RECURRENT)
def test_copies_and_pickles_agree(variant):
    model = randomise(policy(config_of(variant)))
    td = inputs(model, 4, T)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(outputs(twin, td), outputs(model, td))
    other = randomise(policy(config_of(variant)))
    model.share_params_with(other)
    assert torch.equal(outputs(other, td), outputs(model, td))


@torch.no_grad()
def test_a_rollout_generates_once():
    model, calls = randomise(policy(config_of("hypermarl_gru"))), []
    model.generator.register_forward_hook(lambda *_: calls.append(1))
    td = inputs(model, 4, T)
    expected = stepped(model, td)
    assert len(calls) == T
    with fixed_parameters():
        for one, other in zip(stepped(model, td), expected, strict=True):
            assert torch.equal(one, other)
        assert len(calls) == T + 1
        for parameter in model.generator.parameters():
            parameter.add_(0.1)
        assert not torch.equal(stepped(model, td)[0], expected[0])


def test_repr_says_what_is_in_front():
    text = repr(policy(config_of("hypermarl_gru")))
    assert "encoder=[5, 7], hidden_state=[1, 6], target=[6, 8, 8, 2]" in text


# --- Errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_cells": [0]}, r"encoder_cells must be positive whole numbers, got \[0\]"),
        ({"hidden_size": 0}, r"hidden_size must be positive whole numbers, got \[0\]"),
        ({"n_layers": -1}, r"n_layers must be positive whole numbers, got \[-1\]"),
        ({"num_cells": [0]}, r"num_cells must be positive whole numbers, got \[0\]"),
    ],
)
@pytest.mark.parametrize("variant", RECURRENT)
def test_bad_values_are_refused(variant, changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(variant, **changes)


def test_an_id_needs_an_encoder():
    with pytest.raises(
        ValueError, match=r"encoder_cells of fups_id_gru must not be empty.*\[128\]"
    ):
        config_of("fups_id_gru", encoder_cells=[])


@pytest.mark.parametrize("variant", sorted(RECURRENT.keys() - {"fups_gru"}))
@pytest.mark.parametrize("state", [True, False])
def test_one_output_for_all_is_refused(variant, state):
    with pytest.raises(ValueError, match=r"its own; set algorithm\.share_param_critic=False"):
        central_critic(config_of(variant), N, F, share_params=True, state=state)
