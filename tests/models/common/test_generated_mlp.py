import copy
import pickle

import pytest
import torch
from support.benchmarl_requests import (
    ABLATIONS,
    MODELS,
    RECURRENT,
    call,
    central_critic,
    config_of,
    group_spec,
    policy,
    randomise,
    spectral_norm,
)
from torch import nn
from torchrl.modules import MLP, MultiAgentMLP

from benchmarl_hyper.weights.layers import target_mlp

N, F, OUT = 3, 5, 2
CELLS = [8, 8]
ID_VARIANTS = [name for name in MODELS if name != "fups"]


@pytest.fixture(autouse=True)
def _double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


def multi_agent_mlp(model, share_params=False, n_agents=N, centralised=False):
    """Torchrl's networks, for the weights of our model."""
    n_inputs = F if model.input_has_agent_dim else model.sizes[0]
    mlp = MultiAgentMLP(
        n_inputs,
        model.sizes[-1],
        n_agents,
        centralised=centralised,
        share_params=share_params,
        num_cells=CELLS,
        activation_class=nn.Tanh,
    )
    parameters = model.agent_parameters().detach()
    mlp.params.data.update_(parameters[0] if share_params else parameters)
    return mlp


# --- Equal to torchrl's networks on the same weights


@pytest.mark.parametrize("variant", MODELS)
@pytest.mark.parametrize("init", ["orthogonal", "torch"])
@pytest.mark.parametrize("batch", [(), (4,), (4, 6)])
def test_policy_equals_separate_networks_of_torchrl(variant, init, batch):
    model = randomise(policy(config_of(variant, init=init)))
    observation = torch.randn(*batch, N, F)
    close(call(model, observation), multi_agent_mlp(model)(observation))


def test_fups_equals_the_shared_network_of_torchrl():
    model = randomise(policy(config_of("fups")))
    observation = torch.randn(4, N, F)
    close(call(model, observation), multi_agent_mlp(model, share_params=True)(observation))


@pytest.mark.parametrize("use_observation", [True, False])
def test_fups_id_equals_a_network_on_observation_and_id(use_observation):
    model = randomise(policy(config_of("fups_id", use_observation=use_observation)))
    first, *others = model.generator
    plain = MLP(F * use_observation + N, OUT, num_cells=CELLS, activation_class=nn.Tanh)
    for linear, rows in zip(list(plain)[::2], [first, *others], strict=True):
        linear.weight.data, linear.bias.data = rows.weight.data[0].T, rows.bias.data[0]
    observation, ids = torch.randn(4, N, F), torch.eye(N).expand(4, -1, -1)
    inputs = torch.cat([observation, ids], -1) if use_observation else ids
    close(call(model, observation), plain(inputs))


def test_one_hot_linear_generator_without_bias_equals_nops():
    linear = policy(config_of("hypermarl_linear", bias=False))
    nops = policy(config_of("nops"))
    with torch.no_grad():
        for theirs, ours in zip(nops.parameters(), linear.parameters(), strict=True):
            theirs.copy_(ours)
    observation = torch.randn(4, N, F)
    assert torch.equal(call(linear, observation), call(nops, observation))


@pytest.mark.parametrize("variant", MODELS)
def test_critic_on_all_observations_equals_torchrl(variant):
    model = randomise(central_critic(config_of(variant), N, F))
    observation = torch.randn(4, 6, N, F)
    expected = multi_agent_mlp(model, centralised=True)(observation)
    close(call(model, observation), expected)


@pytest.mark.parametrize("variant", MODELS)
@pytest.mark.parametrize("batch", [(), (4, 6)])
def test_critic_on_a_global_state_equals_separate_networks(variant, batch):
    model = randomise(central_critic(config_of(variant), N, F, state=True))
    state = torch.randn(*batch, F)
    repeated = state.unsqueeze(-2).expand(*batch, N, F)
    close(call(model, state), multi_agent_mlp(model)(repeated))


@pytest.mark.parametrize("state", [True, False])
def test_fups_answers_a_request_for_one_output(state):
    config = config_of("fups")
    model = randomise(central_critic(config, N, F, share_params=True, state=state))
    x = torch.randn(4, F) if state else torch.randn(4, N, F)
    y = call(model, x)
    assert y.shape == (4, 1)
    per_agent = central_critic(config, N, F, state=state)
    per_agent.load_state_dict(model.state_dict())
    close(call(per_agent, x), y.unsqueeze(-2).expand(4, N, 1))


@pytest.mark.parametrize("variant", MODELS)
def test_one_agent_needs_no_agent_dimension(variant):
    model = randomise(central_critic(config_of(variant), 1, F, share_params=True))
    assert call(model, torch.randn(1, F)).shape == (1,)
    observation = torch.randn(4, 1, F)
    expected = multi_agent_mlp(model, n_agents=1)(observation).squeeze(-2)
    close(call(model, observation), expected)


@pytest.mark.parametrize("variant", MODELS)
def test_one_agent_policy(variant):
    model = randomise(policy(config_of(variant), n_agents=1))
    observation = torch.randn(4, 1, F)
    close(call(model, observation), multi_agent_mlp(model, n_agents=1)(observation))


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.Sigmoid, nn.ELU, nn.GELU])
def test_activations_that_overwrite_compute_the_same(activation):
    model = randomise(policy(config_of("nops", activation_class=activation)))
    x = torch.randn(4, N, F, requires_grad=True)
    kept = x.detach().clone()
    y = target_mlp(x.transpose(0, 1), model.generate(), activation()).transpose(0, 1)
    gradients = torch.autograd.grad(y.square().sum(), [x, *model.parameters()])
    z = call(model, x)
    assert torch.equal(y, z)
    assert torch.equal(x, kept)
    for one, other in zip(
        gradients, torch.autograd.grad(z.square().sum(), [x, *model.parameters()]), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("variant", MODELS)
def test_no_hidden_cells_is_a_linear_policy(variant):
    model = randomise(policy(config_of(variant, num_cells=[])))
    observation = torch.randn(4, N, F)
    weight, bias = (model.agent_parameters()["0", key] for key in ("weight", "bias"))
    close(call(model, observation), torch.einsum("bni,noi->bno", observation, weight) + bias)


@pytest.mark.parametrize("variant", [*MODELS, *ABLATIONS])
def test_several_inputs_are_concatenated_in_the_order_of_the_keys(variant):
    spec = group_spec(N, position=(2, 2), velocity=(1, 3))
    model = randomise(policy(config_of(variant, num_feature_dims=2), input_spec=spec))
    position, velocity = torch.randn(4, N, 2, 2), torch.randn(4, N, 1, 3)
    joined = torch.cat([position.flatten(-2), velocity.flatten(-2)], -1)
    plain = randomise(policy(config_of(variant), n_features=7))
    plain.load_state_dict(model.state_dict())
    close(call(model, position, velocity), call(plain, joined))


# --- What may depend on what


@pytest.mark.parametrize("variant", [*MODELS, *ABLATIONS])
def test_output_of_an_agent_sees_its_own_observation_only(variant):
    model = randomise(policy(config_of(variant)))
    observation = torch.randn(1, N, F, requires_grad=True)
    for i in range(N):
        gradient = torch.autograd.grad(call(model, observation)[0, i].sum(), observation)[0][0]
        assert gradient[i].any()
        assert not gradient[torch.arange(N) != i].any()


@pytest.mark.parametrize(
    "variant", ["nops", "hypermarl_linear", "hypermarl_mlp", "hypermarl_lowrank"]
)
def test_loss_of_an_agent_reaches_its_own_row_only(variant):
    model = randomise(policy(config_of(variant)))
    rows = {
        "nops": lambda: model.generator[0].weight,
        "hypermarl_linear": lambda: model.generator[0].rows.weight,
        "hypermarl_mlp": lambda: model.generator.embedding.table,
        "hypermarl_lowrank": lambda: model.generator.embedding.table,
    }[variant]()
    for i in range(N):
        loss = call(model, torch.randn(4, N, F))[:, i].square().sum()
        (gradient,) = torch.autograd.grad(loss, rows)
        assert gradient[i].any()
        assert not gradient[torch.arange(N) != i].any()


@pytest.mark.parametrize("variant", MODELS)
def test_permuting_agents_permutes_outputs(variant):
    model = randomise(policy(config_of(variant)))
    permuted, order = copy.deepcopy(model), torch.tensor([2, 0, 1])
    with torch.no_grad():
        for name, parameter in permuted.named_parameters():
            if name.endswith("embedding.table"):
                parameter.copy_(parameter[order])
            elif variant == "fups_id" and name.endswith("generator.0.weight"):
                parameter[:, F:] = parameter[:, F:][:, order]
            elif variant != "seps" and len(parameter) == N:  # whose rows are clusters, not agents
                parameter.copy_(parameter[order])
    observation = torch.randn(4, N, F)
    close(call(permuted, observation[:, order]), call(model, observation)[:, order])


@pytest.mark.parametrize("variant", MODELS)
def test_agents_with_an_id_differ_from_the_start(variant):
    model = policy(config_of(variant))
    outputs = call(model, torch.randn(1, F).expand(N, F))
    equal = [torch.equal(outputs[i], outputs[i - 1]) for i in range(N)]
    alike = ("fups", "seps", "lorasa")  # clusters and adapters come with training
    assert equal == [variant in alike] * N


# --- Initialisation


@pytest.mark.parametrize(
    ("out_key", "gain"),
    [
        ("logits", 0.01),
        ("param", 0.01),
        ("state_value", 1.0),
        ("state_action_value", 1.0),
        ("action_value", 1.0),
    ],
)
@pytest.mark.parametrize("is_critic", [True, False])
def test_output_gain_follows_the_output_key(out_key, gain, is_critic):
    config = config_of("nops")
    config.is_critic = is_critic  # BenchMARL sets it on a policy that shares its critic's config
    model = policy(config, output_spec=group_spec(N, **{out_key: 1}))
    assert spectral_norm(model, "4") == pytest.approx(gain, rel=1e-5)
    assert spectral_norm(model, "0") == pytest.approx(2**0.5, rel=1e-5)


def test_output_gain_can_be_set():
    model = policy(config_of("hypermarl_linear", out_gain=0.3))
    assert spectral_norm(model, "4") == pytest.approx(0.3, rel=1e-5)


@pytest.mark.parametrize("variant", MODELS)
def test_generated_biases_start_at_zero(variant):
    parameters = policy(config_of(variant, init="orthogonal")).agent_parameters()
    hidden = ["2", "4"] if variant == "fups_id" else ["0", "2", "4"]  # its first is the id's weight
    assert not any(parameters[layer, "bias"].any() for layer in hidden)


@pytest.mark.parametrize("variant", [*MODELS, *RECURRENT])
def test_reset_parameters_draws_everything_anew_in_place(variant):
    models = [randomise(policy(config_of(variant, init="orthogonal"))) for _ in range(2)]
    parameters = [list(model.parameters()) for model in models]
    for model in models:
        torch.manual_seed(1)
        model.reset_parameters()
    for one, other in zip(*parameters, strict=True):
        assert torch.equal(one, other)
    assert spectral_norm(models[0], "4") < 0.1


# --- What people see


@pytest.mark.parametrize("variant", MODELS)
def test_agent_parameters_are_one_network_per_agent(variant):
    model = randomise(policy(config_of(variant)))
    parameters = model.agent_parameters()
    assert parameters.batch_size == (N,)
    network = MLP(F, OUT, num_cells=CELLS, activation_class=nn.Tanh)
    observation = torch.randn(4, N, F)
    for i in range(N):
        with parameters[i].detach().to_module(network):
            close(network(observation[:, i]), call(model, observation)[:, i])


def test_agent_parameters_are_differentiable():
    model = policy(config_of("hypermarl_mlp"))
    model.agent_parameters()["0", "weight"].sum().backward()
    assert model.generator.embedding.table.grad.any()


def test_repr_says_what_is_generated_and_trained():
    model = policy(config_of("hypermarl_mlp", num_cells=[64, 64]), 4, 16, 9)
    text = repr(model)
    assert "HypermarlMlp(n_agents=4, target=[16, 64, 64, 9], out_key=('agents', 'logits')" in text
    assert "parameters per agent=5,833, trainable=381,081" in text


@pytest.mark.parametrize("variant", [*MODELS, *ABLATIONS])
def test_copies_and_pickles_agree(variant):
    model = randomise(policy(config_of(variant)))
    observation = torch.randn(4, N, F)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(call(twin, observation), call(model, observation))
    other = randomise(policy(config_of(variant)))
    model.share_params_with(other)
    assert torch.equal(call(other, observation), call(model, observation))
