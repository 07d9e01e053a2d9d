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

from benchmarl_hyper.models.common.rollout_cache import fixed_parameters

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


@pytest.mark.parametrize(
    ("algorithm", "variant"), [("ippo", "hypermarl_lowrank"), ("isac", "hypermarl_mlp")]
)
def test_losses_compute_the_same(algorithm, variant, tmp_path):
    run = experiment(tmp_path, variant, algorithm, max_n_iters=1)
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
