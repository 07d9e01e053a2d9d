"""What transforms of environments keep from one episode to the next, for example statistics."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from benchmarl.experiment import Experiment
from benchmarl.utils import local_seed
from torchrl.envs import EnvBase, TransformedEnv

from benchmarl_hyper.running.transform_attributes import (
    attributes,
    fingerprints,
    load_attributes,
)


@contextmanager
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # VecNorm warns before its first episode
        yield


@_without_warnings()
def environment_state(env: EnvBase) -> dict[str, Any]:
    """Return a copy of the state of an environment's transforms, and of those inside of it.

    The state of the current episode is not part of it, nor are random generators.
    """
    if isinstance(env, TransformedEnv):
        return {
            "transforms": deepcopy(env.transform.state_dict()),
            "attributes": deepcopy(attributes(env.transform)),
            "inside": environment_state(env.base_env),
        }
    return {"environment": deepcopy(env.state_dict())}  # one state each, if they are side by side


@_without_warnings()
def load_environment_state(env: EnvBase, state: Mapping[str, Any]) -> None:
    """Restore what :func:`environment_state` returned for an environment of the same kind."""
    if isinstance(env, TransformedEnv):
        env.transform.load_state_dict(deepcopy(state["transforms"]))
        load_attributes(env.transform, deepcopy(state["attributes"]))
        load_environment_state(env.base_env, state["inside"])
    else:
        env.load_state_dict(deepcopy(state["environment"]))


def load_evaluation_state(run: Experiment, checkpoint: Mapping[str, Any]) -> None:
    """Restore what a run evaluates with; BenchMARL's own checkpoints do not hold it.

    Args:
        run: an experiment.
        checkpoint: the content of one of its checkpoints.
    """
    if "environments" in checkpoint:
        begin_episode(run.test_env)
        load_environment_state(run.test_env, checkpoint["environments"]["evaluation"])


@_without_warnings()
def begin_episode(env: TransformedEnv, reset: Callable[[], Any] | None = None) -> None:
    """Begin an episode, since some transforms cannot load a state before their first one.

    Args:
        env: the environment; if its transforms have no state, nothing is done.
        reset: function that resets it; None for its own.
    """
    with local_seed():
        if env.transform.state_dict():
            (reset or env.reset)()


class UnsavedState:
    """Finds attributes of transforms that change in training and cannot be saved.

    Args:
        env: an environment that has had no episode yet.
    """

    def __init__(self, env: EnvBase):
        self.env = env
        self.before = fingerprints(env.transform) if isinstance(env, TransformedEnv) else {}

    def refuse(self) -> None:
        """Check that no such attribute has changed.

        Raises:
            ValueError: if one has; the message names it.
        """
        now = fingerprints(self.env.transform) if self.before else {}
        for transform, name in self.before:
            if now.get((transform, name)) != self.before[transform, name]:
                raise ValueError(
                    f"the transform {transform} changes its attribute {name} in training, and no "
                    "checkpoint can hold it; keep numbers, tensors or arrays, or lists and dicts "
                    "of them, in attributes of the transform, or set "
                    "experiment.checkpoint_interval=0"
                )
