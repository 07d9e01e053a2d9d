"""Masks that drift apart: the diversity term and the resets."""

from dataclasses import replace

import pytest
import torch
from benchmarl.experiment import Experiment
from support.benchmarl_requests import config_of
from support.experiments import algorithm_config, experiment, one_group, two_groups

from benchmarl_hyper import KaleidoscopeCallback
from benchmarl_hyper.models.kaleidoscope.model import mask_diversity
from benchmarl_hyper.running.experiment_parts import policy_model


def run_with(folder, algorithm="ippo", task=one_group, others=(), critic="fups_id", **changes):
    values = {key: changes.pop(key) for key in list(changes) if key in KEYS}
    callbacks = [KaleidoscopeCallback.get_from_yaml(**values), *others]
    config = config_of("kaleidoscope", threshold_bias=0.0)
    critic_model = None if critic is None else config_of(critic)
    arguments = {"critic_model": critic_model, "callbacks": callbacks, **changes}
    return experiment(folder, config, algorithm, task, **arguments)


KEYS = ["beta", "beta_mode", "window", "weighted", "reset_interval", "reset_probability"]


# --- In training


@pytest.mark.slow
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
    one, other = callback.recent["a"], callback.recent["b"]
    assert callback._beta(0.5, one, 3.0, -2.0) == pytest.approx(0.5 * 3 / 2)
    assert callback._beta(0.5, one, -1.0, -2.0) == pytest.approx(0.5 * 1 / 2)
    assert callback._beta(0.5, one, -7.0, -4.0) == pytest.approx(0.5 * 4 / 3)
    assert callback._beta(0.5, other, 0.0, -2.0) == 0.5
    fixed = KaleidoscopeCallback.get_from_yaml(beta=0.5, beta_mode="fixed")
    assert fixed._beta(0.5, fixed.recent["a"], 3.0, -2.0) == 0.5


def test_the_term_is_logged_and_kept_in_checkpoints(tmp_path):
    run = run_with(tmp_path, checkpoint_at_end=True)
    run.run()
    for name in ("loss_diversity", "beta"):
        (file,) = run.folder_name.rglob(f"train_agents_{name}.csv")
        assert len(file.read_text(encoding="utf-8").splitlines()) == 2
    (checkpoint,) = run.folder_name.glob("checkpoints/*")
    again = Experiment.reload_from_file(str(checkpoint))
    losses, diversities = again.callbacks[0].recent["agents"]
    assert len(losses) == len(diversities) == 8
    assert again.callbacks[0].recent == run.callbacks[0].recent
    again.close()


def test_the_critic_may_be_masked_too(tmp_path):
    run_with(tmp_path, critic="kaleidoscope").run()


# --- Resets


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
    assert not run.callbacks[0]._is_time(None)


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
