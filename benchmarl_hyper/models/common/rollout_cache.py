"""Generate weights once per rollout: while an environment is stepped, nobody trains the policy.

The rule has three parts, none of which guesses:

1. What was generated is kept only from the beginning to the end of one call of torchrl's
   ``Collector.rollout`` or ``EnvBase.rollout``, or of :func:`fixed_parameters`. Between two
   rollouts, optimisers, target updaters and the collector's synchronisation write as they like.
2. It is kept and used only where no gradient is wanted, and not in a graph that is being compiled
   or captured, which would outlive the rollout.
3. It is used only while every parameter and buffer is in its place, the same object at the same
   version. So a functional call, with other tensors in their places, generates its own; and so
   does the next step after an ordinary write in the midst of a rollout.

What is not seen before the rollout ends is a write in its midst that leaves no trace in a tensor:
through ``.data`` or by a fused optimiser, from a callback, another thread or another process.
torchrl's collector and BenchMARL write between rollouts.

What is kept belongs to the rollout and not to the module: copies and pickles know nothing of it.
Torchrl tells nobody that a rollout begins, so the two methods are wrapped, here and only here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from tensordict import is_batchedtensor
from torch import Tensor, nn


class _Kept(NamedTuple):
    """What a module returned, and from which tensors: their places, names and versions."""

    made: Any
    sources: list[tuple[dict[str, Any], str, Tensor, int]]

    def is_current(self) -> bool:
        for place, name, tensor, version in self.sources:
            if place.get(name) is not tensor or tensor._version != version:
                return False
        return True


Make = Callable[[], Any]
_ROLLOUT: ContextVar[dict[Make, _Kept] | None] = ContextVar("rollout", default=None)
_WANTED: ContextVar[bool] = ContextVar("wanted", default=True)


@contextmanager
def fixed_parameters() -> Iterator[None]:
    """Promise that no parameter is written in this block: what :func:`once` makes is kept."""
    token = _ROLLOUT.set({} if _WANTED.get() else None)
    try:
        yield
    finally:
        _ROLLOUT.reset(token)


@contextmanager
def always_generate() -> Iterator[None]:
    """Keep nothing in this block; for comparisons, since no number depends on it."""
    wanted, rollout = _WANTED.set(False), _ROLLOUT.set(None)
    try:
        yield
    finally:
        _WANTED.reset(wanted)
        _ROLLOUT.reset(rollout)


def once(make: Make, module: nn.Module) -> Any:
    """Call ``make``, or return what it has returned earlier in this rollout.

    Args:
        make: takes nothing and returns a list of tuples of tensors. Equal for every call, as
            methods are.
        module: whose parameters and buffers are all that these depend on.
    """
    if torch.compiler.is_compiling():
        return make()
    rollout = _ROLLOUT.get()
    if rollout is None or torch.is_grad_enabled() or _is_capturing():
        return make()
    kept = rollout.get(make)
    if kept is not None and kept.is_current():
        return kept.made
    made = make()
    sources = _sources(module)
    if sources is not None and not any(is_batchedtensor(t) for layer in made for t in layer):
        rollout[make] = _Kept(made, sources)
    return made


def _is_capturing() -> bool:
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def _sources(module: nn.Module) -> list[tuple[dict[str, Any], str, Tensor, int]] | None:
    """All parameters and buffers; None where one has no version, or is not in its place."""
    sources = []
    for part in module.modules():
        if any(isinstance(value, Tensor) for value in vars(part).values()):
            return None  # put there by a functional call
        for place in (part._parameters, part._buffers):
            for name, tensor in place.items():
                if tensor is not None and tensor.is_inference():
                    return None
                if tensor is not None:
                    sources.append((place, name, tensor, tensor._version))
    return sources
