"""Minibatches sampled leanly are those that torchrl's buffer samples, bit for bit."""

from functools import partial

import pytest
import torch
from support.experiments import TASKS, experiment, trained_parameters
from tensordict import TensorDict

from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.lean_training import LeanSampling


def sampled(folder, lean, steps=(), **settings):
    """The minibatches of an experiment's first group, from rows of noise, and the run."""
    folder.mkdir()
    kind = partial(ResumableExperiment, lean=lean)
    run = experiment(folder, "fups", kind=kind, evaluation=False, **settings)
    buffer = next(iter(run.replay_buffers.values()))
    torch.manual_seed(0)
    agents = TensorDict({"observation": torch.randn(8, *steps, 2, 3)}, [8, *steps, 2])
    rows = TensorDict({"agents": agents, "flag": torch.rand(8, *steps, 1) < 0.5}, [8, *steps])
    buffer.extend(rows)
    minibatches = [buffer.sample() for _ in range(5)]
    run.close()
    return minibatches, isinstance(getattr(buffer.sample, "__self__", None), LeanSampling)


@pytest.mark.parametrize("steps", [(), (4,)])
def test_minibatches_equal_torchrls(tmp_path, steps):
    ours, lean = sampled(tmp_path / "lean", True, steps)
    theirs, plain = sampled(tmp_path / "plain", False, steps)
    assert (lean, plain) == (True, False)
    for minibatch, expected in zip(ours, theirs, strict=True):
        assert {*minibatch.keys(True)} == {*expected.keys(True)}
        for key, value in expected.items(True):
            assert minibatch.get(key).shape == value.shape, key  # also of TensorDicts
        assert (minibatch == expected).all()
        assert not minibatch.is_locked


def test_a_buffer_of_an_off_policy_run_keeps_its_own_sampling(tmp_path):
    assert not sampled(tmp_path / "run", True, algorithm="iddpg")[1]


@pytest.mark.parametrize("model", ["fups", "fups_gru"])
def test_training_ends_with_the_same_parameters(tmp_path, model):
    """Also with rows that are sequences."""
    ends = []
    for lean in (True, False):
        folder = tmp_path / str(lean)
        folder.mkdir()
        kind = partial(ResumableExperiment, lean=lean)
        run = experiment(folder, model, task=TASKS["two_groups"], kind=kind, evaluation=False)
        run.run()
        ends.append(trained_parameters(run))
    for ours, theirs in zip(*ends, strict=True):
        assert torch.equal(ours, theirs)
