"""Masks that drift apart: the model, the diversity term, and the resets."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from benchmarl.experiment import Experiment
from support.benchmarl_requests import call, config_of, policy, randomise
from support.experiments import algorithm_config, experiment, one_group, two_groups

from benchmarl_hyper import KaleidoscopeCallback
from benchmarl_hyper.models.kaleidoscope.model import mask_diversity
from benchmarl_hyper.running.experiment_parts import policy_model

N, F = 3, 5


def masked(**changes):
    """A model with weights on both sides of the thresholds."""
    model = randomise(policy(config_of("kaleidoscope", threshold_scale=4.0, **changes), N))
    with torch.no_grad():
        for layer in model.masked_layers():
            layer.threshold.add_(6)
    return model


def run_with(folder, algorithm="ippo", task=one_group, others=(), critic="fups_id", **changes):
    values = {key: changes.pop(key) for key in list(changes) if key in KEYS}
    callbacks = [KaleidoscopeCallback.get_from_yaml(**values), *others]
    config = config_of("kaleidoscope", threshold_bias=0.0)
    critic_model = None if critic is None else config_of(critic)
    arguments = {"critic_model": critic_model, "callbacks": callbacks, **changes}
    return experiment(folder, config, algorithm, task, **arguments)


KEYS = ["beta", "beta_mode", "window", "weighted", "reset_interval", "reset_probability"]


# --- The model


def test_masks_equal_masked_and_shrunk_weights():
    model = masked()
    nops = policy(config_of("nops"), N)
    for ours, theirs in zip(model.masked_layers(), nops.generator, strict=True):
        weight, threshold = ours.rows.weight[0], ours.threshold.sigmoid()
        shrunk = (weight.abs() - threshold) * weight.sign()
        kept = weight.abs() > threshold
        assert 0.1 < kept.float().mean() < 0.9
        theirs.weight.data = torch.where(kept, shrunk, 0.0)
        theirs.bias.data = ours.rows.bias.expand(N, -1).clone()
    observation = torch.randn(4, N, F)
    torch.testing.assert_close(call(model, observation), call(nops, observation))


def test_thresholds_start_in_their_range_and_almost_mask_nothing():
    model = policy(config_of("kaleidoscope", num_cells=[64]), N)
    for layer in model.masked_layers():
        assert layer.threshold.min() >= -10
        assert layer.threshold.max() <= -5
        assert layer.threshold.std() > 1
        assert (layer.margin() > 0).float().mean() > 0.95


# --- The diversity term


@pytest.mark.parametrize("weighted", [True, False])
def test_diversity_is_the_mean_over_pairs_with_its_gradient(weighted):
    """Against the definition with all ordered pairs, and a straight-through mask written out."""
    model = masked()
    layers = model.masked_layers()
    n_weights = sum(layer.rows.weight.numel() for layer in layers)
    expected, masks = torch.zeros(()), []
    for index, layer in enumerate(layers):
        mask = (layer.margin() > 0).float().detach().requires_grad_()
        scaled = mask * layer.rows.weight.abs().detach() if weighted else mask
        pairs = sum((scaled[i] - scaled[j]).abs().sum() for i, j in permutations(range(N), 2))
        expected = expected + 2**index * pairs / (N * (N - 1) * n_weights)
        masks.append(mask)
    diversity = mask_diversity(layers, weighted)
    torch.testing.assert_close(diversity, expected)
    assert diversity > 0
    gradients = torch.autograd.grad(100 * expected, masks)
    ours = torch.autograd.grad(100 * diversity, [layer.threshold for layer in layers])
    for layer, gradient, own in zip(layers, gradients, ours, strict=True):
        sigmoid = layer.threshold.sigmoid()
        torch.testing.assert_close(own, -gradient.tanh() * sigmoid * (1 - sigmoid))


def test_diversity_moves_thresholds_only():
    model = masked()
    mask_diversity(model.masked_layers(), weighted=True).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == name.endswith("threshold")
        assert parameter.grad is None or parameter.grad.any()


def test_equal_masks_have_no_diversity():
    model = masked()
    for layer in model.masked_layers():
        layer.threshold.data = layer.threshold.data[:1].repeat(N, 1, 1)
    assert mask_diversity(model.masked_layers(), weighted=False) == 0


# --- In training


@pytest.mark.parametrize(
    ("algorithm", "continuous"),
    [
        *(("ippo", True), ("mappo", False), ("isac", True), ("masac", True), ("isac", False)),
        *(("iddpg", True), ("maddpg", True), ("iql", False), ("vdn", False), ("qmix", False)),
    ],
)
def test_the_term_reaches_the_policys_step(algorithm, continuous, tmp_path):
    """With a huge fixed weight, one step moves thresholds along its gradient, and only it does."""
    run = run_with(
        tmp_path, algorithm, continuous=continuous, beta=1e6, beta_mode="fixed", lr=1e-4,
        max_n_iters=1, on_policy_n_minibatch_iters=1, on_policy_minibatch_size=8,
        off_policy_n_optimizer_steps=1,
    )  # fmt: skip
    layers = policy_model(run.algorithm.get_policy_for_loss("agents")).masked_layers()
    before = [layer.threshold.detach().clone() for layer in layers]
    towards = torch.autograd.grad(
        1e6 * mask_diversity(layers, True), [layer.threshold for layer in layers]
    )
    run.run()
    for layer, old, gradient in zip(layers, before, towards, strict=True):
        moved = layer.threshold.detach() - old
        clear = gradient.abs() > 0.1 * gradient.abs().max()
        assert torch.equal(moved.sign()[clear], gradient.sign()[clear])


def test_adaptive_weight_is_relative_to_the_recent_losses():
    callback = KaleidoscopeCallback.get_from_yaml(beta=0.5, window=2)
    assert callback._beta("a", 3.0, -2.0) == pytest.approx(0.5 * 3 / 2)
    assert callback._beta("a", -1.0, -2.0) == pytest.approx(0.5 * 1 / 2)
    assert callback._beta("a", -7.0, -4.0) == pytest.approx(0.5 * 4 / 3)
    assert callback._beta("b", 0.0, -2.0) == 0.5
    fixed = KaleidoscopeCallback.get_from_yaml(beta=0.5, beta_mode="fixed")
    assert fixed._beta("a", 3.0, -2.0) == 0.5


def test_the_term_is_logged_and_kept_in_checkpoints(tmp_path):
    run = run_with(tmp_path, checkpoint_at_end=True)
    run.run()
    for name in ("loss_diversity", "beta"):
        (file,) = run.folder_name.rglob(f"train_agents_{name}.csv")
        assert len(file.read_text().splitlines()) == 2
    (checkpoint,) = run.folder_name.glob("checkpoints/*")
    again = Experiment.reload_from_file(str(checkpoint))
    losses, diversities = again.callbacks[0].recent["agents"]
    assert len(losses) == len(diversities) == 8
    assert again.callbacks[0].recent == run.callbacks[0].recent
    again.close()


def test_the_critic_may_be_masked_too(tmp_path):
    run_with(tmp_path, critic="kaleidoscope").run()


# --- Resets


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_what_all_agents_mask_begins_anew(probability):
    layer = masked(num_cells=[64]).masked_layers()[0]
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    dead = (layer.margin() <= 0).all(0)
    drawn = layer.revive(probability)
    assert not drawn[~dead].any()
    assert drawn[dead].float().mean() == pytest.approx(probability, abs=0.2)
    for name, parameter in layer.named_parameters():
        if name == "rows.bias":
            assert torch.equal(parameter, before[name])
            continue
        changed = parameter != before[name]
        assert torch.equal(changed, drawn.expand_as(changed))
    assert not probability or (layer.margin()[:, drawn] > 0).float().mean() > 0.8


def test_resets_come_at_their_interval_and_not_near_the_end(tmp_path, monkeypatch):
    times = []
    run = run_with(tmp_path, reset_interval=16, max_n_iters=8)
    for layer in policy_model(run.algorithm.get_policy_for_loss("agents")).masked_layers()[:1]:
        monkeypatch.setattr(layer, "revive", lambda p: times.append((p, run.total_frames)))
    run.run()
    assert times == [(0.5, 16), (0.5, 32), (0.5, 48)]


def test_no_interval_is_no_reset(tmp_path):
    run = run_with(tmp_path, reset_interval=None)
    run.run()
    assert not run.callbacks[0]._is_time()


# --- Errors


def test_unknown_modes_are_refused():
    with pytest.raises(ValueError, match="beta_mode must be adaptive or fixed, got 'none'"):
        KaleidoscopeCallback.get_from_yaml(beta_mode="none")


def test_policies_of_one_agent_are_refused(tmp_path):
    config = replace(algorithm_config("happo"), share_param_critic=False)
    with pytest.raises(ValueError, match=r"needs one Kaleidoscope as policy of all 2 agents"):
        run_with(tmp_path, config)


def test_a_group_of_one_agent_is_passed_over(tmp_path):
    run = run_with(tmp_path, task=two_groups)
    run.run()
    assert set(run.callbacks[0].last) == {"adversary"}
