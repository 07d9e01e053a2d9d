"""Kaleidoscope's critics in TD3: one network, a mask per critic."""

import pytest
import torch
from support.benchmarl_requests import config_of
from support.experiments import algorithm_config, experiment
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable

from benchmarl_hyper import KaleidoscopeCallback
from benchmarl_hyper.models.kaleidoscope.model import mask_diversity

GROUP, CRITICS = "agents", 3


def masked():
    return config_of("kaleidoscope", threshold_bias=0.0)


def run_with(folder, algorithm="matd3", make=experiment, others=(), **changes):
    values = {key: changes.pop(key) for key in list(changes) if key in KEYS}
    config = algorithm_config(algorithm, num_qvalue_nets=CRITICS)
    method = KaleidoscopeCallback.get_from_yaml(**values)
    changes = {"critic_model": masked(), "callbacks": [method, *others], **changes}
    return make(folder, masked(), algorithm=config, **changes)


KEYS = ["beta", "beta_mode", "critic_beta", "critic_reset_interval"]


def parts(run, target=False):
    """Thresholds, and what critics share, each ``[critics, ...]``."""
    name = f"{'target_' if target else ''}qvalue_network_params"
    found = list(getattr(run.losses[GROUP], name).data.items(True, True))
    own = [x.clone() for key, x in found if key[-1] == "threshold"]
    return own, [x.clone() for key, x in found if key[-1] != "threshold"]


@pytest.mark.parametrize("algorithm", ["matd3", pytest.param("isac", marks=pytest.mark.slow)])
def test_critics_share_all_but_thresholds(algorithm, tmp_path):
    run = run_with(tmp_path, algorithm, max_n_iters=3)
    before = parts(run)
    run.run()
    for target in (False, True):
        thresholds, shared = parts(run, target)
        assert all((x == x[:1]).all() for x in shared)
        assert not any((x == x[:1]).all() for x in thresholds)
    for old, new in zip(before[1], parts(run)[1], strict=True):
        assert not torch.equal(old, new)


def test_the_shared_gradient_is_the_sum_over_critics(tmp_path):
    run = run_with(tmp_path, evaluation=False)
    batch = run.algorithm.process_batch(GROUP, next(iter(run.collector))).reshape(-1)
    run.close()
    loss = run.losses[GROUP]
    loss.noise_clip = 0.0
    value = loss(batch)["loss_qvalue"]
    params = [
        x for key, x in loss.qvalue_network_params.items(True, True) if key[-1] != "threshold"
    ]
    apart = torch.autograd.grad(value, params, retain_graph=True)
    value.backward()
    for parameter, own in zip(params, apart, strict=True):
        expected = parameter.grad[0]
        assert all(torch.equal(g, expected) for g in parameter.grad)
        # grad() calls hooks, too
        torch.testing.assert_close(expected, own[0])
        shifted = [torch.zeros_like(parameter.data[:1]) for _ in range(2)]
        shifted[0].view(-1)[0], shifted[1].view(-1)[0] = 1e-3, -1e-3
        values = []
        for shift in shifted:  # a step of all copies together
            parameter.data += shift
            values.append(loss(batch)["loss_qvalue"].item())
            parameter.data -= shift
        slope = (values[0] - values[1]) / 2e-3
        assert expected.view(-1)[0].item() == pytest.approx(slope, abs=2e-3, rel=0.05)


def test_their_diversity_is_that_of_the_masks(tmp_path):
    run = run_with(tmp_path, evaluation=False)
    critics, model = run.callbacks[0].critics[GROUP]
    run.close()
    value = critics.loss_diversity(weighted=True)
    gradients = torch.autograd.grad(value, [critics.params[key] for key in critics.keys])
    assert all(g.abs().sum() > 0 for g in gradients)
    expected = 0.0
    for agent in range(2):  # of each agent's masks, as if critics were agents
        with torch.no_grad():
            for layer, key in zip(model.masked_layers(), critics.keys, strict=True):
                layer.threshold = torch.nn.Parameter(critics.params[key][:, agent].data.clone())
                layer.rows.weight.copy_(critics.params[(*key[:-1], "rows", "weight")][0])
        expected += mask_diversity(model.masked_layers(), True) / 2
    torch.testing.assert_close(-value, expected)


def test_the_term_moves_the_critics_thresholds(tmp_path):
    run = run_with(
        tmp_path, critic_beta=1e6, beta_mode="fixed", max_n_iters=1, lr=1e-4,
        off_policy_n_optimizer_steps=1, evaluation=False,
    )  # fmt: skip
    critics, _ = run.callbacks[0].critics[GROUP]
    before = parts(run)[0]
    thresholds = [critics.params[key] for key in critics.keys]
    towards = torch.autograd.grad(1e6 * -critics.loss_diversity(True), thresholds)
    run.run()
    for old, new, gradient in zip(before, parts(run)[0], towards, strict=True):
        clear = gradient.abs() > 0.1 * gradient.abs().max()
        assert torch.equal((new - old).sign()[clear], gradient.sign()[clear])
    logged = run.callbacks[0].last[GROUP]
    assert {"loss_diversity_critics", "beta_critics", "loss_diversity", "beta"} == set(
        logged.keys()
    )
    assert logged["beta_critics"].item() == 1e6


def test_one_critic_after_the_other_is_redrawn(tmp_path, monkeypatch):
    drawn = []
    run = run_with(tmp_path, critic_reset_interval=8, max_n_iters=5, evaluation=False)
    critics, _ = run.callbacks[0].critics[GROUP]
    redraw = critics.redraw

    def recorded(index, scale, bias):
        before = parts(run)[0]
        redraw(index, scale, bias)
        changed = [[not torch.equal(a, b) for a, b in zip(*x, strict=True)] for x in
                   zip(before, parts(run)[0], strict=True)]  # fmt: skip
        assert all(row == changed[0] for row in changed)
        drawn.append((changed[0].index(True), sum(changed[0]), scale, bias))

    monkeypatch.setattr(critics, "redraw", recorded)
    run.run()
    scale = masked().threshold_scale
    assert drawn == [(i % CRITICS, 1, scale, 0.0) for i in range(4)]  # none near the end


def test_a_resumed_run_equals_one_that_was_not_stopped(tmp_path):
    whole = run_with(tmp_path / "whole", make=resumable)
    whole.run()
    method = KaleidoscopeCallback.get_from_yaml
    resumed = interrupted_and_resumed(
        tmp_path / "parts", callbacks=lambda: [method()], model=masked(), critic_model=masked(),
        algorithm=algorithm_config("matd3", num_qvalue_nets=CRITICS),
    )  # fmt: skip
    assert_same(final_state(resumed), final_state(whole))
    assert len(resumed.callbacks[0].recent_critics[GROUP][0]) == 8
