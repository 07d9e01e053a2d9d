import pytest
import torch
from benchmarl.models import GruConfig, MlpConfig, SequenceModelConfig
from support.benchmarl_requests import MODELS, call, central_critic, config_of, policy, randomise
from support.nearness import assert_near
from torch import nn

from benchmarl_hyper.export.agent_networks import agent_networks, load_networks, mlp_state_dict

N, F, OUT, CELLS = 3, 5, 2, [8, 8]


def mlp(**changes):
    values = {"num_cells": CELLS, "layer_class": nn.Linear, "activation_class": nn.Tanh}
    return MlpConfig(**{**values, **changes})


MODELS = {
    **{variant: lambda variant=variant: policy(config_of(variant)) for variant in MODELS},
    "mlp shared": lambda: policy(mlp()),
    "mlp unshared": lambda: policy(mlp(), share_params=False),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_networks_put_out_what_the_model_does(make):
    model = randomise(make())
    networks = agent_networks(model)
    assert len(networks) == N
    observation = torch.randn(4, N, F)
    outputs = torch.stack([net(observation[:, i]) for i, net in enumerate(networks)], dim=1)
    assert_near(outputs, call(model, observation))
    assert [type(layer) for layer in networks[0]] == [nn.Linear, nn.Tanh] * 2 + [nn.Linear]


def test_one_agent_and_no_hidden_layer():
    model = randomise(policy(config_of("hypermarl_mlp", num_cells=[]), n_agents=1))
    (network,) = agent_networks(model)
    observation = torch.randn(1, F)
    assert_near(network(observation), call(model, observation))
    assert len(network) == 1


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_networks_are_copies(make):
    model = randomise(make())
    observation = torch.randn(N, F)
    before = call(model, observation)
    first, *others = agent_networks(model)
    kept = [p.clone() for network in others for p in network.parameters()]
    for parameter in first.parameters():
        assert parameter.requires_grad
        assert parameter.is_contiguous()
        parameter.data.zero_()
    assert torch.equal(call(model, observation), before)
    now = [p for network in others for p in network.parameters()]
    assert all(map(torch.equal, kept, now))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_benchmarl_loads_them_without_sharing(make):
    model = randomise(make())
    state = mlp_state_dict(model)
    twin = policy(mlp(), share_params=False)
    assert list(twin.state_dict()) == list(state)
    twin.load_state_dict(state)
    observation = torch.randn(4, N, F)
    assert_near(call(twin, observation), call(model, observation))


@pytest.mark.parametrize("name", ["nops", "mlp unshared"])
def test_models_without_sharing_start_from_them(name):
    source = randomise(policy(config_of("hypermarl_mlp")))
    model = MODELS[name]()
    parameters = list(model.parameters())
    load_networks(model, mlp_state_dict(source))
    assert all(p is q for p, q in zip(parameters, model.parameters(), strict=True))
    observation = torch.randn(4, N, F)
    assert_near(call(model, observation), call(source, observation))


@pytest.mark.parametrize("name", ["fups", "hypermarl_mlp", "mlp shared"])
def test_models_that_share_cannot_start_from_them(name):
    model = MODELS[name]()
    with pytest.raises(ValueError, match=r"policy of group 'agents' is a \w+ that shares param"):
        load_networks(model, mlp_state_dict(model))


def test_other_sizes_cannot_start_from_them():
    state = mlp_state_dict(policy(config_of("nops", num_cells=[4])))
    with pytest.raises(ValueError, match=r"\(3, 8, 5\).*but the exported ones are .*\(3, 4, 5\)"):
        load_networks(policy(config_of("nops")), state)


REFUSED = {
    "Gru": lambda: policy(GruConfig.get_from_yaml()),
    "SequenceModel": lambda: policy(
        SequenceModelConfig(model_configs=[mlp(), config_of("nops")], intermediate_sizes=[4])
    ),
    "Mlp": lambda: policy(mlp(norm_class=nn.LayerNorm, norm_kwargs={"normalized_shape": 8})),
    "HypermarlGru": lambda: policy(config_of("hypermarl_gru")),
    "NopsGru": lambda: policy(config_of("nops_gru")),
    "Nops": lambda: central_critic(config_of("nops")),
    "Fups": lambda: central_critic(config_of("fups"), share_params=True, state=True),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("take", [agent_networks, mlp_state_dict])
def test_other_models_are_refused(take, name):
    model = REFUSED[name]()
    with pytest.raises(ValueError, match=rf"group 'agents' is a {name}, which is not .* can be"):
        take(model)
