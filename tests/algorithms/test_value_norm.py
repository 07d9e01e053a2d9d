"""Normalised values: running moments, advantages and targets by hand, training and resuming."""

import numpy as np
import pytest
import torch
from support.experiments import TASKS, algorithm_config, experiment
from support.happo_runs import equal, tensors
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable
from torchrl.objectives.value.functional import generalized_advantage_estimate

from benchmarl_hyper.algorithms import value_norm
from benchmarl_hyper.algorithms.value_norm import ReturnMoments

GROUP, GAMMA, LAMBDA = "agents", 0.9, 0.8
NAMES = ["ippo_paper", "mappo_paper", "happo"]


def test_moments_equal_numpys_weighted_ones(monkeypatch):
    monkeypatch.setattr(value_norm, "DECAY", 0.7)
    generator = np.random.default_rng(0)
    batches = [generator.normal(1000 + i, 3, size=(4, 3, 2)) for i in range(5)]
    moments = ReturnMoments()
    assert moments.now() == (0, 1)
    for batch in batches:
        moments.update(torch.tensor(batch, dtype=torch.float32))
    ages = np.repeat(np.arange(5)[::-1], batches[0].size)
    values = np.stack(batches).astype(np.float32).astype(float).ravel()
    mean = np.average(values, weights=0.7**ages)
    std = np.average((values - mean) ** 2, weights=0.7**ages) ** 0.5
    assert moments.now() == pytest.approx((mean, std), rel=1e-9)


def test_the_first_batch_counts_fully():
    moments = ReturnMoments()
    moments.update(torch.tensor([1.0, 5.0]))
    assert moments.now() == pytest.approx((3, 2))


def test_returns_that_are_all_alike_are_not_blown_up():
    moments = ReturnMoments()
    moments.update(torch.full((4,), 7.0))
    assert moments.now() == pytest.approx((7, 0.1))


@pytest.mark.parametrize("name", NAMES)
def test_advantages_and_targets_by_hand(name, tmp_path):
    extra = {"normalize_advantage": False} if name == "happo" else {}
    config = algorithm_config(name, value_norm=True, lmbda=LAMBDA, **extra)
    run = experiment(
        tmp_path, "nops", config, TASKS["global_state"], gamma=GAMMA, evaluation=False,
        on_policy_collected_frames_per_batch=20,
    )  # fmt: skip
    batch = next(iter(run.collector)).clone()
    terminated = torch.rand(2, 10, 1) < 0.2
    batch["next", "terminated"], batch["next", "done"] = terminated, terminated.clone()
    batch["next", "done"][:, 5] = True  # also ends that are no terminations
    for entry in ("terminated", "done"):
        own = batch["next", entry].unsqueeze(-1).expand(2, 10, 2, 1)
        batch["next", GROUP, entry] = own
    assert batch["next", "done"].sum() > terminated.sum() > 0
    before = batch["next", GROUP, "reward"].clone()
    returns = run.losses[GROUP].returns
    returns.update(torch.tensor([2.0, 8.0]))  # mean 5, standard deviation 3
    found = run.algorithm.process_batch(GROUP, batch.clone())
    run.close()
    value, later = 5 + 3 * found[GROUP, "state_value"], 5 + 3 * found["next", GROUP, "state_value"]
    advantage, target = generalized_advantage_estimate(
        GAMMA, LAMBDA, value, later, before, found["next", GROUP, "done"],
        found["next", GROUP, "terminated"], time_dim=1,
    )  # fmt: skip
    if name == "happo":
        advantage = advantage.mean(-2, keepdim=True).expand_as(advantage)
    torch.testing.assert_close(found[GROUP, "advantage"], advantage, atol=1e-5, rtol=1e-5)
    mean, std = returns.now()
    assert (mean, std) != pytest.approx((5, 3), rel=1e-2)
    normalised = (target - mean) / std
    torch.testing.assert_close(found[GROUP, "value_target"], normalised, atol=1e-5, rtol=1e-5)
    assert torch.equal(found["next", GROUP, "reward"], before)


@pytest.mark.parametrize("task", ["one_group", "two_groups"])
@pytest.mark.parametrize("name", ["mappo_paper", "happo"])
def test_trains_and_changes_what_is_learned(name, task, tmp_path):
    ends = {}
    for chosen in (True, False):
        config = algorithm_config(name, value_norm=chosen)
        run = experiment(tmp_path, "nops", config, TASKS[task], max_n_iters=3, evaluation=False)
        run.run()
        ends[chosen] = [x for loss in run.losses.values() for x in tensors(loss)]
        assert all(x.isfinite().all() for x in ends[chosen])
        for loss in run.losses.values():
            assert hasattr(loss, "returns") == chosen
            assert not chosen or loss.returns.weight.item() == pytest.approx(3e-5, rel=1e-3)
    assert not equal(ends[True], ends[False])


@pytest.mark.parametrize("name", ["ippo_paper", pytest.param("happo", marks=pytest.mark.slow)])
def test_a_resumed_run_equals_one_that_was_not_stopped(name, tmp_path):
    settings = {"algorithm": algorithm_config(name, value_norm=True), "model": "nops"}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))
    assert any(path[-1] == "returns.mean" for path in final_state(whole))
