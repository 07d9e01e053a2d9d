"""SePS as a model: clusters of agents share a network."""

import pytest
import torch
from support.benchmarl_requests import call, config_of, policy, randomise

N, F = 3, 5


def test_groups_are_separate_shared_networks():
    model = randomise(policy(config_of("seps", groups=[[0, 2], [1]]), N))
    nops = policy(config_of("nops"), n_agents=2)
    with torch.no_grad():
        for theirs, ours in zip(nops.parameters(), model.parameters(), strict=True):
            theirs.copy_(ours)
    observation = torch.randn(4, N, F)
    expected = [call(nops, observation[:, [i, 1]])[:, 0] for i in (0, 2)]
    expected.insert(1, call(nops, observation[:, [0, 1]])[:, 1])
    torch.testing.assert_close(call(model, observation), torch.stack(expected, dim=1))


def test_one_group_is_fups_and_a_group_each_is_nops():
    observation = torch.randn(4, N, F)
    for groups, variant in (([[0, 1, 2]], "fups"), ([[0], [1], [2]], "nops")):
        model, other = policy(config_of("seps", groups=groups), N), policy(config_of(variant), N)
        other.load_state_dict({k: x for k, x in model.state_dict().items() if "cluster" not in k})
        torch.testing.assert_close(call(model, observation), call(other, observation))


def test_losses_reach_the_network_of_the_cluster_alone():
    model = randomise(policy(config_of("seps", groups=[[0, 2], [1]]), N))
    rows = model.generator[0].weight
    for agent, row in ((0, 0), (1, 1), (2, 0)):
        loss = call(model, torch.randn(4, N, F))[:, agent].square().sum()
        (gradient,) = torch.autograd.grad(loss, rows)
        assert gradient[row].any()
        assert not gradient[1 - row].any()


@pytest.mark.parametrize("groups", [[[0, 1]], [[0, 1], [1, 2]], [[0, 1, 2], []], [[0, 1, 2, 3]]])
def test_groups_need_every_agent_once(groups):
    with pytest.raises(ValueError, match=r"each of the 3 agents of group 'agents', 0 to 2, exactl"):
        policy(config_of("seps", groups=groups), N)


def test_groups_say_how_many_networks_there_are():
    with pytest.raises(ValueError, match="n_networks=2 has no effect beside groups"):
        config_of("seps", n_networks=2, groups=[[0], [1]])
    with pytest.raises(ValueError, match=r"n_networks must be positive whole numbers, got \[0\]"):
        config_of("seps", n_networks=0)
    assert policy(config_of("seps", groups=[[0], [1, 2]]), N).n_networks == 2
    assert policy(config_of("seps"), 30).n_networks == 10
