"""What a checkpoint of this package holds besides what BenchMARL puts into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from tensordict import TensorDictBase
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torchrl.envs import EnvBase

from benchmarl_hyper.running.buffers import grow, save_compactly
from benchmarl_hyper.running.callbacks import RunCallback
from benchmarl_hyper.running.environment_state import (
    UnsavedState,
    begin_episode,
    environment_state,
    load_environment_state,
)


class StateCallback(RunCallback):
    """Make checkpoints complete and compact.

    Checkpoints also get the state of the optimisers, of the intervals between hard updates of
    target networks, and of the transforms of all environments. Rows of buffers that were not
    written yet are left out, and the collector's copy of the policy is stored only once. BenchMARL
    pickles the callback with the run, so that its own ``resume`` and ``evaluate`` restore all of
    this, too.
    """

    not_pickled: ClassVar = {"written": {}, "unsaved": []}

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, int] = {}  # rows of each buffer before the current iteration
        self.unsaved: list[UnsavedState] = []

    def on_setup(self) -> None:
        """Prepare buffers and environments for what checkpoints hold."""
        run = self.experiment
        for group, buffer in run.replay_buffers.items():
            save_compactly(buffer, partial(self._is_replaced, group))
        self.unsaved = [UnsavedState(env) for _, env in _environments(run)]
        if run.config.restore_file is not None:
            begin_episode(run.test_env)
            if not run.config.collect_with_grad:
                begin_episode(run.collector.env, run.collector.reset)

    def on_batch_collected(self, batch: TensorDictBase) -> None:
        """Remember how many rows were written to each buffer before the batch."""
        buffers = self.experiment.replay_buffers
        self.written = {group: buffer.write_count for group, buffer in buffers.items()}

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add what BenchMARL leaves out, and leave out what is not needed.

        Raises:
            ValueError: if a transform has state that cannot be saved.
        """
        run = self.experiment
        for unsaved in self.unsaved:
            unsaved.refuse()
        state_dict["optimizers"] = {
            group: {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
            for group, optimizers in run.optimizers.items()
        }
        state_dict["environments"] = {n: environment_state(e) for n, e in _environments(run)}
        state_dict["target_updates"] = {
            group: updater.counter
            for group, updater in run.target_updaters.items()
            if hasattr(updater, "counter")
        }
        if "collector" in state_dict:
            networks = tree_leaves([state_dict[f"loss_{group}"] for group in run.group_map])
            policy = _shared(state_dict["collector"]["policy_state_dict"], networks)
            state_dict["collector"] = {**state_dict["collector"], "policy_state_dict": policy}

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what the checkpoint holds; BenchMARL's own checkpoints hold none of it."""
        run = self.experiment
        for group, optimizers in state_dict.get("optimizers", {}).items():
            for name, state in optimizers.items():
                run.optimizers[group][name].load_state_dict(state)
        for group, counter in state_dict.get("target_updates", {}).items():
            run.target_updaters[group].counter = counter
        for name, env in _environments(run):
            if name in state_dict.get("environments", {}):
                load_environment_state(env, state_dict["environments"][name])
        for group, buffer in run.replay_buffers.items():
            if state_dict[f"buffer_{group}"] is not None:
                grow(buffer, state_dict[f"buffer_{group}"])

    def _is_replaced(self, group: str) -> bool:
        """Return whether each iteration of an on-policy algorithm fills the whole buffer."""
        run, buffer = self.experiment, self.experiment.replay_buffers[group]
        rows = buffer.write_count - self.written.get(group, buffer.write_count)
        return run.on_policy and rows >= buffer.storage.max_size


def _environments(run: Any) -> Iterator[tuple[str, EnvBase]]:
    yield "evaluation", run.test_env
    yield "training", run.rollout_env if run.config.collect_with_grad else run.collector.env


def _shared(state: Mapping[str, Any], networks: list[Any]) -> dict[str, Any]:
    """Return a state dict in which tensors that equal one of the networks' are that tensor."""
    return {
        key: next((t for t in networks if _equal(t, value)), value) for key, value in state.items()
    }


def _equal(one: Any, other: Any) -> bool:
    return (
        isinstance(one, Tensor)
        and isinstance(other, Tensor)
        and (one.shape, one.dtype, one.device) == (other.shape, other.dtype, other.device)
        and torch.equal(one, other)
    )
