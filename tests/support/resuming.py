"""Runs that are stopped and continued, and what a checkpoint of a finished run holds."""

from functools import partial

import pytest
import torch
from benchmarl.experiment import Callback
from support.experiments import experiment
from torch import Tensor

from benchmarl_hyper.running.checkpoint_files import checkpoints_in
from benchmarl_hyper.running.experiment import ResumableExperiment


def flat(value, prefix=()):
    """Tensors and numbers of a nested state by their path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from flat(part, (*prefix, key))
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            yield from flat(part, (*prefix, i))
    elif hasattr(value, "state_dict") and not isinstance(value, Tensor):
        yield from flat(value.state_dict(), prefix)
    else:
        yield prefix, value


# Times, the numbers of episodes, and where a tensor is, which tensordict does not always store
NOT_COMPARED = {"total_time", "traj_ids", "__device"}


def final_state(run):
    """What a finished run's checkpoint holds, without times and files, and all rows of buffers."""
    state = torch.load(checkpoints_in(run.folder_name / "checkpoints")[-1])
    del state["files"]
    state["rows"] = {
        g: b.storage.get(slice(0, len(b))).to_dict() for g, b in run.replay_buffers.items()
    }
    return {path: value for path, value in flat(state) if path[-1] not in NOT_COMPARED}


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, Tensor):
            torch.testing.assert_close(actual[key], value, rtol=0, atol=0, equal_nan=True, msg=key)
        else:
            assert actual[key] == value, key


ROOMY = {"off_policy_memory_size": 10_000}  # most of which stays empty
OVERHEAD = 200_000  # bytes for names, settings of optimisers, results and so on


def assert_small(run):
    """A checkpoint costs at most 1.2 times the rows of buffers, and networks with moments."""
    checkpoint = checkpoints_in(run.folder_name / "checkpoints")[-1]
    rows = [b.storage.get(slice(0, len(b))) for b in run.replay_buffers.values()]
    frames = 0 if run.on_policy else sum(bytes_of(part.values(True, True)) for part in rows)
    optimizers = [o.state for group in run.optimizers.values() for o in group.values()]
    moments = bytes_of(t for state in optimizers for one in state.values() for t in one.values())
    networks = sum(bytes_of(loss.state_dict().values()) for loss in run.losses.values())
    assert checkpoint.stat().st_size < 1.2 * frames + networks + moments + OVERHEAD


def bytes_of(tensors):
    return sum(t.numel() * t.element_size() for t in tensors if isinstance(t, Tensor))


def resumable(folder, model="hypermarl_mlp", checkpoint_share=1, **changes):
    folder.mkdir(exist_ok=True)
    return experiment(
        folder,
        model,
        kind=partial(ResumableExperiment, checkpoint_share=checkpoint_share),
        **{"max_n_iters": 4, "checkpoint_interval": 16, "lr": 1e-3, **ROOMY, **changes},
    )


class Interruption(Callback):
    """Stops a run in its third iteration, after the checkpoint of the second."""

    def on_train_end(self, training_td, group):
        if self.experiment.n_iters_performed == 2:
            raise KeyboardInterrupt


def interrupted_and_resumed(folder, callbacks=list, **settings):
    with pytest.raises(KeyboardInterrupt):
        resumable(folder, callbacks=[*callbacks(), Interruption()], **settings).run()
    (checkpoint,) = folder.glob("*/checkpoints/checkpoint_16.pt")
    again = resumable(folder, callbacks=callbacks(), **settings, restore_file=str(checkpoint))
    again.run()
    return again
