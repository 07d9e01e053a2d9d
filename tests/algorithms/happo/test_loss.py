"""Who moves when, and with which weight."""

import copy

import pytest
import torch
from support.experiments import two_groups
from support.happo_runs import GROUP, PASSES, STEPS_PER_PASS, N, Recorder, equal, happo, own_models
from torch import nn

from benchmarl_hyper.algorithms.happo.actors import OwnModels


def log_probabilities(run, batch):
    with torch.no_grad():
        policy = run.algorithm.get_policy_for_loss(GROUP)
        return policy.get_dist(batch.clone()).log_prob(batch[GROUP, "action"])  # [b, n]


@pytest.mark.parametrize("clip_grad_norm", [True, False])
def test_agents_move_in_turn_and_then_stay(clip_grad_norm, tmp_path):
    recorder = Recorder()
    happo(tmp_path, callbacks=[recorder], clip_grad_norm=clip_grad_norm).run()
    steps, orders = recorder.steps[GROUP], recorder.orders[GROUP]
    per_turn = PASSES * STEPS_PER_PASS
    assert len(steps) == 2 * N * per_turn
    before = recorder.start[GROUP]
    for i, after in enumerate(steps):
        iteration, turn = i // (N * per_turn), i // per_turn % N
        moved = [not equal(*pair) for pair in zip(before, after, strict=True)]
        learners = [agent == orders[iteration][turn] for agent in range(N)]
        assert moved == [*learners, turn == 0], i
        before = after


def test_groups_take_turns_of_their_own_and_of_their_size(tmp_path):
    recorder = Recorder()
    happo(tmp_path, task=two_groups, callbacks=[recorder]).run()
    counts = {group: len(steps) for group, steps in recorder.steps.items()}
    assert counts == {"adversary": 2 * 2 * PASSES * 2, "agent": 2 * 1 * PASSES * 2}
    assert {len(order) for order in recorder.orders["adversary"]} == {2}


def test_an_iteration_equals_separate_optimisers_and_stored_factors(tmp_path):
    """As published: an Adam per agent, and the factor of the whole batch kept between turns."""
    lr, eps, epsilon = 1e-2, 1e-6, 0.2
    flags = {"entropy_coef": 0.1}
    run = happo(
        tmp_path,
        algorithm=flags,
        max_n_iters=1,
        on_policy_minibatch_size=8,
        on_policy_n_minibatch_iters=4,
        adam_eps=eps,
        clip_grad_val=0.05,
    )
    policy = copy.deepcopy(run.algorithm.get_policy_for_loss(GROUP))
    (models,) = (part.models for part in policy.modules() if isinstance(part, OwnModels))
    run.run()
    batch, factor = run.replay_buffers[GROUP].storage[:], 1.0
    for agent in run.losses[GROUP].order:
        parameters = list(models[agent].parameters())
        adam = torch.optim.Adam(parameters, lr=lr, eps=eps)
        for _ in range(4):
            chosen = policy.get_dist(batch.clone())
            new = chosen.log_prob(batch[GROUP, "action"])[:, agent]
            ratio = (new - batch[GROUP, "log_prob"][:, agent]).exp()
            advantage = batch[GROUP, "advantage"][:, agent, 0]
            gain = torch.min(ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage)
            adam.zero_grad()
            (-(factor * gain).mean() - 0.1 * chosen.entropy()[:, agent].mean()).backward()
            nn.utils.clip_grad_norm_(parameters, 0.05)
            adam.step()
        new = policy.get_dist(batch.clone()).log_prob(batch[GROUP, "action"])[:, agent]
        factor = factor * (new - batch[GROUP, "log_prob"][:, agent]).exp().detach()
    for own, published in zip(own_models(run.losses[GROUP]).models, models, strict=True):
        for a, b in zip(own.parameters(), published.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_before_anybody_moved_the_factor_is_one(tmp_path):
    recorder = Recorder()
    run = happo(tmp_path, callbacks=[recorder])
    run.run()
    for training in recorder.training[GROUP]:
        first_turn, others = training.split(PASSES * STEPS_PER_PASS)[0], training[4:]
        assert (first_turn["ratio_factor"] == 1).all()
        assert (first_turn["ratio_factor_max"] == 1).all()
        assert (others["ratio_factor"] != 1).all()
    batch = run.replay_buffers[GROUP].storage[:]
    batch[GROUP, "log_prob"] = log_probabilities(run, batch)
    for turn in range(N):
        run.losses[GROUP].begin([2, 0, 1], calls_per_turn=1)
        run.losses[GROUP].calls = turn
        torch.testing.assert_close(run.losses[GROUP](batch)["ratio_factor_max"], torch.tensor(1.0))


def test_the_factor_is_the_product_of_the_ratios_of_those_who_moved(tmp_path):
    run = happo(tmp_path, algorithm={"entropy_coef": 0.0})
    run.run()
    batch, loss = run.replay_buffers[GROUP].storage[:], run.losses[GROUP]
    ratios = (log_probabilities(run, batch) - batch[GROUP, "log_prob"]).exp()
    loss.begin([2, 0, 1], calls_per_turn=1)
    loss.step()
    loss.step()
    out = loss(batch)
    product = ratios[:, 2] * ratios[:, 0]
    torch.testing.assert_close(out["ratio_factor"], product.mean())
    torch.testing.assert_close(out["ratio_factor_max"], product.max())
    advantage = batch[GROUP, "advantage"][:, 1, 0]
    clipped = ratios[:, 1].clamp(0.8, 1.2)
    gain = product * torch.min(ratios[:, 1] * advantage, clipped * advantage)
    torch.testing.assert_close(out["loss_objective"], -gain.mean())
    out["loss_objective"].backward()
    gradients = [[p.grad for p in model.parameters()] for model in own_models(loss).models]
    assert all(gradient is None for agent in (0, 2) for gradient in gradients[agent])
    assert all(gradient.abs().sum() > 0 for gradient in gradients[1])
