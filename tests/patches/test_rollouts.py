"""Rollouts tell our models where they begin and end."""

import pytest
from support.experiments import experiment
from torchrl.envs import EnvBase

from benchmarl_hyper.patches.rollouts import COLLECTOR
from benchmarl_hyper.running.experiment import ResumableExperiment

ROLLOUTS = [COLLECTOR, EnvBase]


def count_generating(run):
    """Let one batch be collected; returns how often the policy's weights were generated."""
    policy = run.algorithm.get_policy_for_loss("agents")
    generated = []
    for module in policy.modules():
        if hasattr(module, "generator"):
            module.generator.register_forward_hook(lambda *_: generated.append(1))
    next(iter(run.collector))
    run.close()
    return len(generated)


def test_a_batch_is_collected_with_weights_that_were_generated_once(tmp_path):
    run = experiment(tmp_path, "hypermarl_mlp")
    assert isinstance(run.collector, COLLECTOR)  # whatever this torchrl calls it
    assert count_generating(run) == 1


def test_a_lean_batch_is_collected_with_weights_that_were_generated_once(tmp_path):
    run = experiment(tmp_path, "hypermarl_mlp", kind=ResumableExperiment)
    assert "rollout" in vars(run.collector)
    assert count_generating(run) == 1


def test_torchrl_still_does_not_say_when_a_rollout_begins(tmp_path, monkeypatch):
    """The reason for the patch. When this fails, look for a hook, and delete the patch."""
    for cls in ROLLOUTS:
        owner = next(parent for parent in cls.__mro__ if "rollout" in vars(parent))
        monkeypatch.setattr(owner, "rollout", owner.rollout.__wrapped__)
    assert count_generating(experiment(tmp_path, "hypermarl_mlp")) == 4


@pytest.mark.parametrize("cls", ROLLOUTS)
def test_torchrl_has_no_hook_for_rollouts(cls):
    names = {name.lower() for name in dir(cls) if "rollout" in name.lower()}
    assert not [name for name in names if "hook" in name or "begin" in name or "start" in name]
