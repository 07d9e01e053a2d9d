"""A policy's forward pass without the wrappers that tensordict puts around each of its modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from tensordict import TensorDictBase
from tensordict.nn import (
    NormalParamExtractor,
    ProbabilisticTensorDictSequential,
    TensorDictModule,
    TensorDictSequential,
)
from torch import nn
from torchrl.envs.utils import ExplorationType, exploration_type
from torchrl.modules import ProbabilisticActor, SafeProbabilisticModule

from benchmarl_hyper.running.lean_draws import draw_from


class LeanPolicy:
    """Calls the modules of a policy one by one, and draws actions itself where it knows how.

    Args:
        policy: the policy of all groups.
    """

    def __init__(self, policy: TensorDictSequential):
        self.policy = policy
        self.skipped: list[nn.Module] = []  # modules that are not called themselves
        self.calls = [self._call(part) for part in self._parts(policy)]

    def __call__(self, tensordict: TensorDictBase) -> None:
        """Write the policy's outputs into a TensorDict."""
        if exploration_type() is not ExplorationType.RANDOM or any(map(_is_watched, self.skipped)):
            self.policy(tensordict)
            return
        for call in self.calls:
            call(tensordict)

    def _parts(self, module: Any) -> Iterator[Any]:
        if type(module) in SEQUENCES and not getattr(module, "_select_before_return", False):
            self.skipped.append(module)
            for part in module.module:
                yield from self._parts(part)
        else:
            yield module

    def _call(self, module: Any) -> Any:
        if type(module) is SafeProbabilisticModule and _draws_plainly(module):
            self.skipped.append(module)
            return _Draw(module)
        if type(module) is TensorDictModule and type(module.module) is NormalParamExtractor:
            self.skipped.append(module)
            return _Extract(module)
        return module


SEQUENCES = (TensorDictSequential, ProbabilisticTensorDictSequential, ProbabilisticActor)


def _is_watched(module: nn.Module) -> bool:
    """Return whether somebody wants to know when a module is called."""
    return bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def _draws_plainly(module: SafeProbabilisticModule) -> bool:
    return (
        not module.safe
        and module.num_samples is None
        and module.return_log_prob
        and len(module.dist_sample_keys) == 1
        and issubclass(module.distribution_class, torch.distributions.Distribution)
    )


class _Draw:
    def __init__(self, module: SafeProbabilisticModule):
        self.draw = draw_from(module.distribution_class, module.distribution_kwargs)
        names = [key if isinstance(key, str) else key[-1] for key in module.dist_keys]
        self.read = dict(zip(names, module.in_keys, strict=True))
        (self.action,), self.log_prob = module.dist_sample_keys, module.log_prob_key

    def __call__(self, tensordict: TensorDictBase) -> None:
        parameters = {name: tensordict.get(key) for name, key in self.read.items()}
        action, log_prob = self.draw(**parameters)
        tensordict.set(self.action, action)
        tensordict.set(self.log_prob, log_prob)


class _Extract:
    def __init__(self, module: TensorDictModule):
        self.module, self.read, self.written = module.module, module.in_keys[0], module.out_keys

    def __call__(self, tensordict: TensorDictBase) -> None:
        values = self.module(tensordict.get(self.read))
        for key, value in zip(self.written, values, strict=True):
            tensordict.set(key, value)
