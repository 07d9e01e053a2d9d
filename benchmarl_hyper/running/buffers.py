"""Replay buffers in checkpoints: only what they hold, and nothing that is about to be replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import ReplayBuffer, TensorStorage

NOTHING = {"_storage": TensorDict().state_dict(), "initialized": False, "_len": 0}


def save_compactly(buffer: ReplayBuffer, is_replaced: Callable[[], bool]) -> None:
    """Let the state dict of a buffer hold the rows that were written, and share their memory.

    torchrl allocates all rows of a buffer at once, and its state dict is a copy of all of them.

    Args:
        buffer: the buffer, in whose storage this replaces the method ``state_dict``.
        is_replaced: function that returns whether all rows will be replaced before one of them is
            read. Then no row is saved; the sampler, the writer and the transforms are.
    """
    storage, whole = buffer.storage, buffer.storage.state_dict

    def state_dict() -> dict[str, Any]:
        if is_replaced():
            return NOTHING
        rows = storage.get(slice(0, len(storage))) if storage.initialized else None
        if not isinstance(rows, TensorDictBase) or not _only_tensors(rows):
            return whole()
        return {"_storage": _state(rows), "initialized": True, "_len": len(storage)}

    if isinstance(storage, TensorStorage):
        storage.state_dict = state_dict


def grow(buffer: ReplayBuffer, state: Mapping[str, Any]) -> None:
    """Give a buffer room for all of its rows again, after it was loaded from a compact state.

    Args:
        buffer: the buffer, which has loaded the state.
        state: the state; if it has all rows, nothing is done.
    """
    storage = buffer.storage
    if not isinstance(storage, TensorStorage) or not storage.initialized:
        return
    if _n_rows(state["_storage"]["_storage"]) < storage.max_size:
        rows = storage.get(slice(0, len(storage)))
        storage.load_state_dict(NOTHING)  # so that writing allocates all rows
        storage.set(range(len(rows)), rows)


def _only_tensors(rows: TensorDictBase) -> bool:
    return all(isinstance(value, Tensor) for value in rows.values(True, True))


def _state(rows: TensorDictBase) -> dict[str, Any]:
    """Return what ``rows.state_dict()`` returns, without copies."""
    values = {
        key: _state(value) if isinstance(value, TensorDictBase) else exact(value)
        for key, value in rows.items()
    }
    return {**values, "__batch_size": rows.batch_size, "__device": rows.device}


def _n_rows(stored: Any) -> int:
    return len(stored) if isinstance(stored, Tensor) else stored["__batch_size"][0]


def exact(tensor: Tensor) -> Tensor:
    """Return a tensor whose storage ends where it ends, and that is not bound to a file.

    torch saves the whole storage of a tensor. The first rows of a contiguous tensor need no copy.
    """
    tensor = tensor.as_subclass(torch.Tensor)
    if tensor.storage_offset() or not tensor.is_contiguous() or tensor.device.type != "cpu":
        return tensor.clone(memory_format=torch.contiguous_format)
    storage = tensor.untyped_storage()
    end = tensor.numel() * tensor.element_size()
    if storage.nbytes() == end:
        return tensor
    return tensor.new_empty(0).set_(storage[:end], 0, tensor.shape, tensor.stride())
