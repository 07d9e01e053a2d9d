"""MAA2C and IA2C: returns, gradients and optimisers by hand, training, resuming, many seeds."""

from dataclasses import replace

import pytest
import torch
from benchmarl.environments import VmasTask
from support.benchmarl_requests import ALL_MODELS, all_trained, config_of
from support.experiments import TASKS, algorithm_config, check_training, experiment
from support.happo_runs import equal, tensors
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable
from support.seed_batches import alone, batch, distance

GROUP, GAMMA, ENTROPY, CRITIC = "agents", 0.9, 0.1, 0.5
NAMES = ["maa2c", "ia2c"]


def spread():
    return VmasTask.SIMPLE_SPREAD.get_task({"max_steps": 4})


def prepared(folder, name, **changes):
    config = algorithm_config(name, entropy_coef=ENTROPY, critic_coef=CRITIC, **changes)
    run = experiment(
        folder, "nops", config, TASKS["global_state"], continuous=False, gamma=GAMMA,
        on_policy_collected_frames_per_batch=20, on_policy_minibatch_size=20, evaluation=False,
    )  # fmt: skip
    collected = run.algorithm.process_batch(GROUP, next(iter(run.collector)))
    run.close()
    return run, collected


def returns(found, steps):
    """Discounted rewards until an episode ends or the batch does, and the value of what follows."""
    rewards = found["next", GROUP, "reward"].squeeze(-1)
    later = found["next", GROUP, "state_value"].squeeze(-1)
    ended = found["next", "done"].expand_as(rewards)
    terminated = found["next", "terminated"].expand_as(rewards)
    target, out = later[:, -1], []
    for t in reversed(range(steps)):
        target = torch.where(ended[:, t], later[:, t], target)
        target = rewards[:, t] + GAMMA * torch.where(terminated[:, t], 0.0, target)
        out.append(target)
    return torch.stack(out[::-1], 1)


@pytest.mark.parametrize("name", NAMES)
def test_with_lambda_one_targets_are_n_step_returns(name, tmp_path):
    _, found = prepared(tmp_path, name, lmbda=1.0)
    steps = found.shape[1]
    expected = returns(found, steps)
    torch.testing.assert_close(found[GROUP, "value_target"].squeeze(-1), expected)
    values = found[GROUP, "state_value"].squeeze(-1)
    torch.testing.assert_close(found[GROUP, "advantage"].squeeze(-1), expected - values)
    assert 0 < found["next", "done"].sum() < found["next", "done"].numel()


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_the_policy_gradient(name, tmp_path):
    run, found = prepared(tmp_path, name)
    loss, found = run.losses[GROUP], found.reshape(-1)
    losses = run.algorithm.process_loss_vals(GROUP, loss(found.clone()))
    parameters = [p for p in loss.actor_network_params.parameters() if p.requires_grad]
    actual = torch.autograd.grad(losses["loss_objective"], parameters)
    with loss.actor_network_params.to_module(loss.actor_network):
        logits = loss.actor_network(found.clone())[GROUP, "logits"]
        log_probs = logits.log_softmax(-1)
        taken = log_probs.gather(-1, found[GROUP, "action"].unsqueeze(-1)).squeeze(-1)
        entropy = -(log_probs.exp() * log_probs).sum(-1)
        gain = (taken * found[GROUP, "advantage"].squeeze(-1)).mean() + ENTROPY * entropy.mean()
        expected = torch.autograd.grad(-gain, parameters)
    for a, b in zip(actual, expected, strict=True):
        assert b.abs().max() > 0
        torch.testing.assert_close(a, b)
    error = found[GROUP, "value_target"] - found[GROUP, "state_value"]
    torch.testing.assert_close(losses["loss_critic"], CRITIC * error.square().mean())


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_first_step_is_the_optimisers(optimizer, tmp_path):
    """Adam's is ``lr g / (|g| + eps)``, and RMSprop's ``lr g / (sqrt(1 - alpha) |g| + eps)``."""
    config = algorithm_config("ia2c", optimizer=optimizer, rmsprop_alpha=0.9, entropy_coef=0.0)
    run = experiment(
        tmp_path, "fups", config, TASKS["global_state"], lr=0.01, adam_eps=1e-3,
        clip_grad_val=None, evaluation=False, max_n_iters=1,
    )  # fmt: skip
    before = tensors(run.losses[GROUP])
    run.run()
    minibatch = run.replay_buffers[GROUP].sample()
    moved = [new - old for old, new in zip(before, tensors(run.losses[GROUP]), strict=True)]
    parameters = list(run.losses[GROUP].parameters())
    for parameter, old in zip(parameters, before, strict=True):
        parameter.data.copy_(old)
    losses = run.losses[GROUP](minibatch)
    total = losses["loss_objective"] + losses["loss_critic"]
    gradients = torch.autograd.grad(total, parameters)
    scale = 1 if optimizer == "adam" else (1 - 0.9) ** 0.5
    for step, g in zip(moved, gradients, strict=True):
        torch.testing.assert_close(step, -0.01 * g / (scale * g.abs() + 1e-3), atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("task", ["one_group", pytest.param("two_groups", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_trains_on(task, name, tmp_path):
    check_training(experiment(tmp_path, "hypermarl_mlp", name, TASKS[task]))


@pytest.mark.slow
@pytest.mark.parametrize("model", ALL_MODELS)
def test_every_variant_is_policy_and_critic(model, tmp_path):
    critic = config_of("nops") if model == "dico" else None  # which writes actions alone
    config = algorithm_config(NAMES[len(model) % 2], optimizer="rmsprop")
    check_training(experiment(tmp_path, all_trained(model), config, critic_model=critic))


@pytest.mark.parametrize(
    ("name", "optimizer", "task"),
    [("maa2c", "rmsprop", "one_group"), ("ia2c", "adam", "two_groups")],
)
def test_a_resumed_run_equals_one_that_was_not_stopped(name, optimizer, task, tmp_path):
    config = algorithm_config(name, optimizer=optimizer)
    settings = {"algorithm": config, "model": "nops", "task": TASKS[task]}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [("ia2c", "rmsprop"), pytest.param("maa2c", "adam", marks=pytest.mark.slow)],
)
def test_seeds_at_once_are_trained_as_alone(name, optimizer, tmp_path):
    config = algorithm_config(name, optimizer=optimizer)
    settings = {"algorithm": config, "task": spread, "evaluation": False}
    together = batch(tmp_path, "nops", (0, 1), **settings)
    together.run()
    for run in together.runs:
        assert distance(run, alone(tmp_path, "nops", run.seed, **settings)) < 1e-4


@pytest.mark.parametrize(
    ("changes", "steps"),
    [({"on_policy_n_minibatch_iters": 3}, 3), ({"on_policy_minibatch_size": 3}, 3)],
)
def test_more_than_one_step_per_batch_is_refused(changes, steps, tmp_path):
    message = rf"ia2c takes one step per batch.* make {steps}\. Set them to 1 and 8, .*ippo"
    with pytest.raises(ValueError, match=message):
        experiment(tmp_path, "nops", "ia2c", **changes)


def test_unknown_optimisers_are_refused():
    with pytest.raises(ValueError, match=r"algorithm.optimizer must be adam or rmsprop, got 'sgd'"):
        replace(algorithm_config("ia2c"), optimizer="sgd")


def test_without_entropy_nothing_is_added(tmp_path):
    run = experiment(tmp_path, "nops", algorithm_config("ia2c", entropy_coef=0.0))
    before = tensors(run.losses[GROUP])
    run.run()
    assert not equal(before, tensors(run.losses[GROUP]))
