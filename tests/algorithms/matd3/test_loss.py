"""The losses of MATD3 and ITD3, worked out by hand on a small batch."""

from dataclasses import replace

import pytest
import torch
from support.experiments import TASKS, algorithm_config, experiment

GROUP, GAMMA = "agents", 0.9
NOISE, CLIP = 1.0, 0.3  # most of the noise is clipped


def prepared(folder, name, task="global_state", **changes):
    """A loss with untrained networks and targets that differ, and a batch with one early end."""
    config = algorithm_config(name, policy_noise=NOISE, noise_clip=CLIP, **changes)
    run = experiment(folder, "nops", config, TASKS[task], gamma=GAMMA, evaluation=False)
    batch = run.algorithm.process_batch(GROUP, next(iter(run.collector)))
    batch = batch.reshape(-1).clone()
    batch["next", GROUP, "terminated"][0] = True
    run.close()
    loss = run.losses[GROUP]
    for params in (loss.target_actor_network_params, loss.target_qvalue_network_params):
        params.data.apply_(lambda x: x.add_(0.1 * torch.randn_like(x)))
    return loss, batch


def acted(loss, observed, params):
    """What a policy does, beside what was observed."""
    with params.to_module(loss.actor_network):
        return loss.actor_network(observed.exclude((GROUP, "action")))


def values(loss, observed, params):
    """What each critic says, ``[critics, batch, agents, 1]``."""
    said = []
    for one in params.unbind(0):
        with one.to_module(loss.qvalue_network):
            said.append(loss.qvalue_network(observed.copy())[GROUP, "state_action_value"])
    return torch.stack(said)


@pytest.mark.parametrize("name", ["matd3", "itd3"])
@pytest.mark.parametrize("task", ["global_state", "one_group"])
def test_targets_and_losses_by_hand(name, task, tmp_path):
    loss, batch = prepared(tmp_path, name, task)
    torch.manual_seed(1)
    found = loss(batch.clone())
    torch.manual_seed(1)
    noise = (NOISE * torch.randn_like(batch[GROUP, "action"])).clamp(-CLIP, CLIP)
    assert (noise.abs() == CLIP).any()
    with torch.no_grad():
        later = acted(loss, batch["next"].copy(), loss.target_actor_network_params)
        later[GROUP, "action"] = (later[GROUP, "action"] + noise).clamp(-1, 1)
        both = values(loss, later, loss.target_qvalue_network_params)
        goes_on = ~batch["next", GROUP, "terminated"]
        target = batch["next", GROUP, "reward"] + GAMMA * goes_on * both.min(0).values
    assert not torch.allclose(both[0], both[1])
    torch.testing.assert_close(found["target_value"], target.squeeze(-1))
    errors = values(loss, batch, loss.qvalue_network_params) - target
    torch.testing.assert_close(found["loss_qvalue"], errors.square().mean((1, 2, 3)).sum())
    now = acted(loss, batch.copy(), loss.actor_network_params)
    first = values(loss, now, loss.qvalue_network_params)[0]
    torch.testing.assert_close(found["loss_actor"], -first.mean())


@pytest.mark.parametrize("name", ["matd3", "itd3"])
def test_the_policy_may_learn_from_all_critics(name, tmp_path):
    loss, batch = prepared(tmp_path, name, policy_value="mean", num_qvalue_nets=3)
    now = acted(loss, batch.copy(), loss.actor_network_params)
    said = values(loss, now, loss.qvalue_network_params)
    assert said.std(0).min() > 0
    torch.testing.assert_close(loss(batch.clone())["loss_actor"], -said.mean())
    loss.reduction = "none"
    by_agent = loss(batch.clone())["loss_actor"]
    torch.testing.assert_close(by_agent, -said.mean(0).squeeze(-1))


def test_the_policys_gradient_does_not_reach_critics(tmp_path):
    loss, batch = prepared(tmp_path, "matd3")
    loss(batch)["loss_actor"].backward()
    assert all(p.grad is None for p in loss.qvalue_network_params.parameters())
    assert any(p.grad is not None for p in loss.actor_network_params.parameters())


@pytest.mark.parametrize("key", ["num_qvalue_nets", "policy_delay"])
def test_numbers_that_must_be_positive(key):
    with pytest.raises(ValueError, match=rf"algorithm\.{key} must be a positive .* got 0"):
        replace(algorithm_config("itd3"), **{key: 0})


def test_unknown_values_for_the_policy_are_refused():
    with pytest.raises(ValueError, match=r"policy_value must be first or mean, got 'last'"):
        replace(algorithm_config("matd3"), policy_value="last")
