"""Transforms of environments that remember: a continued run sees what an uninterrupted one sees."""

from collections import deque
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from benchmarl.experiment import Experiment
from support.experiments import evaluations
from support.resuming import assert_same, final_state, flat, interrupted_and_resumed, resumable
from support.tiny_task import TinyClass, TinyEnv
from torchrl.envs import SerialEnv, TransformedEnv
from torchrl.envs.transforms import (
    CatFrames,
    TimeMaxPool,
    Transform,
    VecNorm,
    VecNormV2,
)

from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.checkpoint_files import checkpoints_in
from benchmarl_hyper.running.checkpoints import reopened
from benchmarl_hyper.running.environment_state import environment_state, load_environment_state

KEY = ("agents", "observation")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Support of VecNorm", "ignore:.*deprecated in favor of"
)


class Mean(Transform):
    """Subtracts the mean of all it has seen, from a buffer."""

    def __init__(self):
        super().__init__(in_keys=[KEY], out_keys=[KEY])
        self.register_buffer("mean", torch.zeros(()))

    def _apply_transform(self, obs):
        self.mean = 0.9 * self.mean + 0.1 * obs.mean()
        return obs - self.mean

    def _reset(self, tensordict, tensordict_reset):
        return self._call(tensordict_reset)


class Attributes(Transform):
    """The same, in attributes that are no buffers."""

    def __init__(self):
        super().__init__(in_keys=[KEY], out_keys=[KEY])
        self.mean, self.sums = 0.0, {"array": np.zeros(3), "tensors": [torch.zeros(())]}

    def _apply_transform(self, obs):
        self.mean = 0.9 * self.mean + 0.1 * obs.mean().item()
        sums, (tensor,) = self.sums["array"], self.sums["tensors"]
        self.sums = {"array": 0.9 * sums + self.mean, "tensors": [0.5 * tensor + obs.mean()]}
        return obs - self.mean - float(sums[1]) - tensor

    def _reset(self, tensordict, tensordict_reset):
        return self._call(tensordict_reset)


class Queue(Transform):
    """Remembers in what no checkpoint can hold."""

    def __init__(self):
        super().__init__(in_keys=[KEY], out_keys=[KEY])
        self.last, self.unchanged = deque(maxlen=2), deque()

    def _apply_transform(self, obs):
        self.last.append(obs.mean().item())
        return obs


REMEMBERING = {
    "VecNormV2": partial(VecNormV2, in_keys=[KEY]),
    "VecNorm": partial(VecNorm, in_keys=[KEY], new_api=False),
    "Mean": Mean,
    "Attributes": Attributes,
    "CatFrames": partial(CatFrames, 2, -1, in_keys=[KEY]),
    "TimeMaxPool": partial(TimeMaxPool, in_keys=[KEY], T=2),
    "Queue": Queue,
}


@dataclass
class TransformedConfig:
    transform: str


class TransformedClass(TinyClass):
    """The tiny task, seen through a transform."""

    config_type = TransformedConfig

    def get_env_transforms(self, env):
        return [REMEMBERING[self.config["transform"]]()]


def through(transform):
    return lambda: TransformedClass("PLACE", {"transform": transform})


@pytest.mark.parametrize("transform", sorted(REMEMBERING.keys() - {"Queue"}))
def test_a_continued_run_is_evaluated_as_one_that_was_not_stopped(tmp_path, transform):
    settings = {"task": through(transform), "model": "nops"}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert evaluations(resumed) == evaluations(whole)[2:]
    assert_same(final_state(resumed), final_state(whole))


def test_others_meet_what_the_run_evaluates_with(tmp_path):
    """BenchMARL's evaluate, exports and observations. The best policy meets what it met then."""
    absolute = AbsoluteMetricCallback()
    run = resumable(tmp_path, "nops", task=through("Mean"), callbacks=[absolute], max_n_iters=2)
    run.run()
    (checkpoint,) = checkpoints_in(run.folder_name / "checkpoints")
    expected = dict(flat(environment_state(run.test_env)))
    again = Experiment.reload_from_file(str(checkpoint))
    assert_same(dict(flat(environment_state(again.test_env))), expected)
    again.close()
    with reopened(checkpoint, trust=True) as twin:
        assert_same(dict(flat(environment_state(twin.test_env))), expected)
        twin.config.evaluation_episodes = 2
        absolute.experiment = twin
        other = environment_state(twin.test_env)
        other["transforms"]["transforms.0.mean"] += 100
        policy = twin.policy.state_dict()
        seen = [absolute.measure(policy, env)["return"].mean() for env in (other, None)]
        assert seen[0] != seen[1]
        assert_same(dict(flat(environment_state(twin.test_env))), expected)


def test_what_cannot_be_saved_is_refused_by_name(tmp_path):
    run = resumable(tmp_path, "nops", task=through("Queue"), max_n_iters=2)
    with pytest.raises(ValueError, match=r"transform Queue changes its attribute last in training"):
        run.run()


def test_environments_side_by_side_have_a_state_each():
    def one():
        return TransformedEnv(TinyEnv(True, num_envs=2, seed=0, device="cpu"), Mean())

    env, fresh = (SerialEnv(2, one) for _ in range(2))
    try:
        env.rollout(3)
        state = environment_state(env)
        load_environment_state(fresh, state)
        assert_same(*(dict(flat(environment_state(e))) for e in (fresh, env)))
        assert len(state["environment"]) == 2
    finally:
        env.close()
        fresh.close()
