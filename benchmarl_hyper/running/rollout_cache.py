"""Generate weights once per rollout: while an environment is stepped, nobody trains the policy.

The cache follows three rules, none of which is a guess:

1. Generated weights are kept only during one call of torchrl's ``Collector.rollout`` or
   ``EnvBase.rollout``, or one block of :func:`fixed_parameters`. Between two rollouts, optimisers,
   target updaters and the collector's synchronisation may write parameters as they like.
2. They are kept and used only while gradients are disabled, and never in a graph that is being
   compiled or captured, because the graph would outlive the rollout.
3. They are used only while every parameter and buffer is in its place: the same object at the same
   version. A functional call puts other tensors in these places, so it generates its own weights.
   After an ordinary write during a rollout, the next step generates new weights.

Whoever calls one module with the parameters of many seeds keeps what they have made by itself, with
:func:`kept_in_rollout` and :func:`made_before`.

One kind of write is not noticed before the rollout ends: a write during the rollout that does not
change a tensor's version, through ``.data`` or by a fused optimiser, from a callback, another
thread or another process. torchrl's collector and BenchMARL write between rollouts.

The cache belongs to the rollout and not to the module, so copies and pickles do not contain it.
torchrl does not announce that a rollout begins, so :mod:`benchmarl_hyper.patches.rollouts` wraps
the two methods.
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
    """What a module returned, and the tensors it depends on, with places, names and versions."""

    made: Any
    sources: list[tuple[dict[str, Any], str, Tensor, int]]

    def is_current(self) -> bool:
        for place, name, tensor, version in self.sources:
            if place.get(name) is not tensor or tensor._version != version:
                return False
        return True


Make = Callable[[], Any]
_ROLLOUT: ContextVar[dict[Any, Any] | None] = ContextVar("rollout", default=None)
_MADE: ContextVar[dict[Make, Any] | None] = ContextVar("made", default=None)
_WANTED: ContextVar[bool] = ContextVar("wanted", default=True)


@contextmanager
def fixed_parameters() -> Iterator[None]:
    """Generate weights once within this block, where no parameter may be written.

    They are kept while gradients are disabled, and are forgotten when the block ends.
    """
    token = _ROLLOUT.set({} if _WANTED.get() else None)
    try:
        yield
    finally:
        _ROLLOUT.reset(token)


@contextmanager
def always_generate() -> Iterator[None]:
    """Generate weights at every call within this block, to compare with and without the cache.

    No result depends on the cache.
    """
    wanted, rollout = _WANTED.set(False), _ROLLOUT.set(None)
    try:
        yield
    finally:
        _WANTED.reset(wanted)
        _ROLLOUT.reset(rollout)


@contextmanager
def made_before(made: dict[Make, Any]) -> Iterator[None]:
    """Use what has been made before within this block, and add what has not.

    Args:
        made: what functions have returned, by function.
    """
    token = _MADE.set(made)
    try:
        yield
    finally:
        _MADE.reset(token)


def kept_in_rollout(*key: Any) -> dict[Make, Any]:
    """Return what has been kept under a key in this rollout, to add to it.

    Outside a rollout, or while gradients are enabled, it is empty and nobody else gets it.
    """
    rollout = _ROLLOUT.get()
    return {} if rollout is None or torch.is_grad_enabled() else rollout.setdefault(key, {})


def once(make: Make, module: nn.Module) -> Any:
    """Return what ``make`` returns, or what it has returned earlier in this rollout.

    Args:
        make: function without arguments that returns a list of tuples of tensors. It is the key
            of the cache, so it has to be equal in every call, as bound methods are.
        module: module whose parameters and buffers are all that the result depends on.
    """
    if torch.compiler.is_compiling():
        return make()
    if (before := _MADE.get()) is not None:
        if make not in before:
            before[make] = make()
        return before[make]
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
    """Return all parameters and buffers; None if one has no version or is not in its place."""
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
