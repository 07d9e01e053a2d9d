"""Minibatches of on-policy runs, without torchrl's fixed cost per minibatch."""

from __future__ import annotations

from typing import Any

from tensordict import TensorDict
from torch import Tensor
from torchrl.data import LazyTensorStorage, SamplerWithoutReplacement, TensorDictReplayBuffer


def sample_leanly(buffer: Any) -> bool:
    """Let a buffer pick the rows of its minibatches by :class:`LeanSampling`, if this serves it.

    The buffer stays what it is: only its ``sample`` is replaced, which no other thread may call.

    Args:
        buffer: buffer of an experiment's group.

    Returns:
        Whether the buffer's ``sample`` was replaced.
    """
    known = (
        type(buffer) is TensorDictReplayBuffer
        and type(buffer._sampler) is SamplerWithoutReplacement
        and type(buffer._storage) is LazyTensorStorage
        and buffer._storage.ndim == 1
        and not len(buffer._transform)
        and not (buffer._prefetch or buffer._pin_memory)
    )
    if known:
        buffer.sample = LeanSampling(buffer).sample
    return known


class LeanSampling:
    """Samples what a buffer samples, with the same random numbers.

    Args:
        buffer: torchrl's buffer, which keeps the rows and draws their numbers.
    """

    def __init__(self, buffer: Any):
        self.buffer = buffer

    def sample(self) -> TensorDict:
        """Return the next minibatch, with the numbers of its rows as ``index``."""
        buffer = self.buffer
        index, _ = buffer._sampler.sample(buffer._storage, buffer._batch_size)
        minibatch = _rows(buffer._storage._storage, index)
        numbers = index.view(-1, *[1] * (minibatch.dim() - 1)).expand(minibatch.shape)
        return minibatch.set("index", numbers)


def _rows(data: Any, index: Tensor) -> TensorDict:
    if type(data) is not TensorDict:
        return data[index]
    entries = {
        key: value.index_select(0, index) if isinstance(value, Tensor) else _rows(value, index)
        for key, value in data.items()
    }
    shape = [len(index), *data.batch_size[1:]]
    return TensorDict(entries, batch_size=shape, device=data.device)
