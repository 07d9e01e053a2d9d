"""Compiled policies and losses compute the same, in one graph."""

import warnings

import pytest
import torch
from support.benchmarl_requests import (
    ABLATIONS,
    MODELS,
    central_critic,
    config_of,
    policy,
    randomise,
)
from support.experiments import experiment
from tensordict import TensorDict

from benchmarl_hyper.running.rollout_cache import fixed_parameters

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(function, **options):
    return torch.compile(function, backend="aot_eager", **options)


def output_of(model):
    def run(observation):
        td = TensorDict({"agents": TensorDict({"observation": observation})})
        return model(td).get(model.out_key)

    return run


# Every model as a policy; as a critic, which sees more, one without a generator and one with it
CASES = [(policy, variant) for variant in (*MODELS, *ABLATIONS)]
CASES += [(central_critic, variant) for variant in ("nops", "hypermarl_mlp")]


@pytest.mark.parametrize(("make", "variant"), CASES)
def test_models_are_one_graph(make, variant):
    model = randomise(make(config_of(variant)))
    observation, run = torch.randn(4, 3, 5), output_of(model)
    compiled_run = compiled(run, fullgraph=True)
    y = compiled_run(observation)
    torch.testing.assert_close(y, run(observation))
    gradients = [
        torch.autograd.grad(call(observation).square().sum(), list(model.parameters()))
        for call in (compiled_run, run)
    ]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("variant", ["hypermarl_mlp", "hypermarl_lowrank"])
@torch.no_grad()
def test_compiled_policies_keep_nothing(variant):
    model = randomise(policy(config_of(variant)))
    observation, run = torch.randn(4, 3, 5), output_of(model)
    compiled_run = compiled(run, fullgraph=True)
    with fixed_parameters():
        first = compiled_run(observation)
        for parameter in model.parameters():
            parameter.data.add_(0.1)
        second = compiled_run(observation)
    assert not torch.equal(first, second)
    torch.testing.assert_close(second, run(observation))


@pytest.mark.filterwarnings("ignore:torch._dynamo.config.inline_inbuilt_nn_modules:FutureWarning")
def test_ensembles_are_one_graph():
    """As losses run critics: with other parameters, and for many of them at once."""
    model = randomise(central_critic(config_of("hypermarl_mlp")))
    parameters, run = TensorDict.from_module(model).data, output_of(model)
    members = torch.stack([parameters, parameters.apply(lambda x: x + 0.1)])
    observation = torch.randn(4, 3, 5)

    def of_member(member, observation):
        with member.to_module(model):
            return run(observation)

    def outputs(observation):
        return torch.vmap(of_member, (0, None))(members, observation)

    expected = outputs(observation)
    torch.testing.assert_close(compiled(outputs, fullgraph=True)(observation), expected)
    assert not torch.allclose(*expected)


def test_losses_compute_the_same(tmp_path):
    run = experiment(tmp_path, "hypermarl_lowrank", "ippo", max_n_iters=1)
    run.run()
    loss, batch = run.losses["agents"], run.replay_buffers["agents"].sample()
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchrl's, about what it cannot compile itself
        for call in (loss, compiled(loss)):
            torch.manual_seed(0)
            values.append(call(batch.clone()))
    for key, value in values[0].items():
        torch.testing.assert_close(values[1][key], value)
