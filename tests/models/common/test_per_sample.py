"""Networks that are written for each sample: what a rollout and an ensemble may do with them."""

import copy

import pytest
import torch
from support.benchmarl_requests import call, config_of, policy, randomise
from tensordict import TensorDict

from benchmarl_hyper.running.rollout_cache import fixed_parameters

N, F = 3, 5
CONFIGS = {
    "hypermarl_no_gd": {},
    "hypermarl_mlp": {"codes": "capability", "capability_indices": [-2, -1]},
    "cash": {"agent_id": True, "capability_indices": [1]},
}


@pytest.fixture(params=CONFIGS)
def config(request):
    return config_of(request.param, **CONFIGS[request.param])


@torch.no_grad()
def test_nothing_is_kept_within_a_rollout(config):
    model = randomise(policy(config))
    x, other = torch.randn(2, 4, N, F)
    with fixed_parameters():
        call(model, x)
        y = call(model, other)
    assert torch.equal(y, call(model, other))


def test_losses_may_run_it_for_an_ensemble_at_once(config):
    models = [randomise(policy(config)) for _ in range(2)]
    x, twin = torch.randn(4, N, F), copy.deepcopy(models[0])
    stacked = torch.stack([TensorDict.from_module(model) for model in models]).data

    def run(parameters):
        with parameters.to_module(twin):
            return call(twin, x)

    y = torch.vmap(run, (0,), randomness="error")(stacked)
    torch.testing.assert_close(y, torch.stack([call(model, x) for model in models]))
