"""Checkpoints hold what buffers hold, and continue exactly, also where BenchMARL continues them."""

from itertools import pairwise

import pytest
import torch
from benchmarl.experiment import Experiment
from support.resuming import (
    assert_same,
    assert_small,
    final_state,
    flat,
    interrupted_and_resumed,
    resumable,
)
from tensordict import TensorDict
from torchrl.data import LazyMemmapStorage, LazyTensorStorage, ListStorage, TensorDictReplayBuffer

from benchmarl_hyper.running.buffers import exact, grow, save_compactly
from benchmarl_hyper.running.checkpoint_files import checkpoints_in

SIZE = 1000
WRAPPED = {"off_policy_memory_size": 20}  # of 32 frames
HARD = {"soft_target_update": False, "hard_target_update_frequency": 2}  # one is under way


def filled(n, kind=LazyTensorStorage, size=SIZE):
    buffer = TensorDictReplayBuffer(storage=kind(size), batch_size=4)
    fill(buffer, n)
    return buffer


def fill(buffer, n):
    values = torch.arange(float(n))
    buffer.extend(TensorDict({"a": values, "b": {"c": values.repeat(3, 1).T}}, [n]))


def rows(buffer):
    return buffer.storage.get(slice(0, len(buffer))).to_dict()


def saved(buffer, folder, replaced=False):
    save_compactly(buffer, lambda: replaced)
    torch.save(buffer.state_dict(), folder / "state.pt")
    return torch.load(folder / "state.pt"), (folder / "state.pt").stat().st_size


@pytest.mark.filterwarnings("ignore:Loading the storage on an uninitialized TensorDict")
@pytest.mark.parametrize("kind", [LazyTensorStorage, LazyMemmapStorage])
@pytest.mark.parametrize("n", [1, 10, SIZE, SIZE + 7])
def test_rows_come_back_and_there_is_room_for_more(tmp_path, kind, n):
    buffer, again = filled(n, kind), TensorDictReplayBuffer(storage=kind(SIZE), batch_size=4)
    state, size = saved(buffer, tmp_path)
    assert size < 16 * min(n, SIZE) * 1.2 + 10_000
    again.load_state_dict(state)
    grow(again, state)
    for one in (buffer, again):
        fill(one, 2 * SIZE // 3)
    torch.testing.assert_close(rows(again), rows(buffer), rtol=0, atol=0)


def test_a_whole_state_is_loaded_as_before():
    buffer, again = filled(10), TensorDictReplayBuffer(storage=LazyTensorStorage(SIZE))
    state = buffer.state_dict()
    again.load_state_dict(state)
    grow(again, state)
    fill(again, 20)
    assert len(again) == 30


def test_rows_that_are_about_to_be_replaced_are_left_out(tmp_path):
    buffer, again = filled(SIZE), filled(3)
    state, size = saved(buffer, tmp_path, replaced=True)
    assert size < 20_000
    again.load_state_dict(state)
    grow(again, state)
    assert len(again) == 0
    fill(again, SIZE)
    torch.testing.assert_close(rows(again), rows(buffer))


def test_other_storages_are_left_as_they_are():
    buffer = TensorDictReplayBuffer(storage=ListStorage(SIZE))
    fill(buffer, 5)
    expected = buffer.state_dict()
    save_compactly(buffer, lambda: True)
    torch.testing.assert_close(buffer.state_dict(), expected)
    grow(buffer, expected)
    assert len(buffer) == 5


@pytest.mark.parametrize("kind", [LazyTensorStorage, LazyMemmapStorage])
def test_a_state_has_torchrls_layout_and_needs_no_memory(kind):
    buffer = filled(SIZE, kind)
    expected = flat(buffer.state_dict())
    save_compactly(buffer, lambda: False)
    actual = flat(buffer.state_dict())
    assert_same(dict(actual), dict(expected))
    stored = buffer.state_dict()["_storage"]["_storage"]
    rows = buffer.storage.get(slice(0, SIZE))
    assert stored["b"]["c"].data_ptr() == rows["b", "c"].data_ptr()
    assert type(stored["a"]) is torch.Tensor


def test_the_storage_of_a_tensor_ends_where_the_tensor_does():
    whole = torch.arange(12.0).reshape(4, 3)
    for part in (whole, whole[:2], whole[1:], whole[:, :1], whole[:0], whole[1, 1]):
        cut = exact(part)
        assert torch.equal(cut, part)
        assert cut.untyped_storage().nbytes() == 4 * part.numel()
    assert exact(whole[:2]).data_ptr() == whole.data_ptr()  # without a copy


@pytest.mark.parametrize(
    ("algorithm", "continuous", "changes"),
    [("ippo", True, {}), ("iddpg", True, WRAPPED), ("iql", False, HARD)],
)
def test_a_run_continues_exactly_from_a_small_checkpoint(tmp_path, algorithm, continuous, changes):
    settings = {"algorithm": algorithm, "continuous": continuous, "model": "nops", **changes}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))
    assert_small(whole)


@pytest.mark.parametrize("algorithm", ["ippo", "iddpg"])
def test_benchmarl_continues_it_and_has_all_of_it(tmp_path, algorithm):
    run = resumable(tmp_path, "nops", algorithm=algorithm, max_n_iters=2)
    run.run()
    (checkpoint,) = checkpoints_in(run.folder_name / "checkpoints")
    again = Experiment.reload_from_file(str(checkpoint), {"max_n_iters": 4})
    ours, theirs = (
        [s for o in r.optimizers["agents"].values() for s in o.state.values()] for r in (run, again)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one["exp_avg"], other["exp_avg"])
    again.run()
    assert again.n_iters_performed == 4
    assert len(again.replay_buffers["agents"]) == (8 if algorithm == "ippo" else 32)
    sizes = [file.stat().st_size for file in checkpoints_in(checkpoint.parent)]
    assert all(new < old + 32 * 1000 for old, new in pairwise(sizes))


@pytest.mark.filterwarnings("ignore:Loading the storage on an uninitialized TensorDict")
def test_buffers_on_disk_continue(tmp_path):
    settings = {"algorithm": "iddpg", "model": "nops", "buffer_device": "disk"}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    states = [final_state(run) for run in (resumed, whole)]
    for state in states:
        assert any("_storage" in path for path in state)
    assert_same(*states)
