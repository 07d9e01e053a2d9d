"""Agents are told apart by what happens to them."""

import pytest
import torch
from support.extras import needs

from benchmarl_hyper.models.seps.clustering import Transitions, agent_codes, clusters

pytestmark = needs("seps")

SETTINGS = {"latent_dim": 4, "epochs": 10, "batch_size": 128, "lr": 3e-3, "kl_weight": 1e-4}


def two_types(types, n_steps=300):
    """Every agent sees noise; for half of them, the reward has the other sign."""
    agent = torch.arange(len(types)).repeat_interleave(n_steps)
    given = torch.randn(len(agent), 3)
    reward = given[:, :1] * torch.tensor(types)[agent].unsqueeze(1)
    return Transitions(agent, given, torch.cat([torch.zeros(len(agent), 2), reward], -1))


@pytest.mark.parametrize("k", [2, None])
def test_two_types_of_agents_are_separated(k):
    types = [1, -1, -1, 1, -1, 1]
    codes = agent_codes(two_types(types), len(types), **SETTINGS)
    assert codes.shape == (6, 4)
    found = clusters(codes, k, max_k=5, seed=0)
    same = found.unsqueeze(0) == found.unsqueeze(1)
    expected = torch.tensor(types)
    assert torch.equal(same, expected.unsqueeze(0) == expected.unsqueeze(1))


def test_codes_follow_from_the_seed():
    def codes(seed):
        torch.manual_seed(seed)
        steps = two_types([1, -1], 50)
        return agent_codes(steps, 2, **SETTINGS)

    assert torch.equal(codes(0), codes(0))
    assert not torch.equal(codes(0), codes(1))


@pytest.mark.parametrize(("max_k", "expected"), [(10, 3), (2, 2)])
def test_the_number_of_clusters_is_found(max_k, expected):
    centres = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    corners = torch.tensor([[0.0, 0], [0, 0.1], [0.1, 0], [0.1, 0.1]])
    codes = (corners.unsqueeze(1) + centres).flatten(0, 1)
    found = clusters(codes, None, max_k, seed=0)
    assert len(found.unique()) == expected
    if expected == 3:
        assert torch.equal(found, found[:3].repeat(4))
