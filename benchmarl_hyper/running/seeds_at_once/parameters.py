"""Parameters of many seeds as one tensor each, of which every seed's own are views."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from benchmarl.experiment import Experiment
from tensordict import TensorDict, TensorDictBase, is_tensor_collection
from torch import Tensor, nn


class StackedParameters:
    """All parameters and buffers of ``S`` experiments, stacked to ``[S, ...]``.

    From then on, the parameters of each experiment are views of the stacked ones. What is trained
    here is trained there.

    Args:
        runs: experiments of one setting.
    """

    def __init__(self, runs: Sequence[Experiment]):
        self.n_seeds = len(runs)
        self._stacked: dict[int, Tensor] = {}  # by the id of the first experiment's tensor
        for tensors in zip(*map(_tensors, runs), strict=True):
            first = tensors[0]
            constant = not isinstance(first, nn.Parameter) and all(first.equal(t) for t in tensors)
            if id(first) in self._stacked or constant:
                continue
            whole = torch.stack([tensor.detach() for tensor in tensors])
            whole.requires_grad_(first.requires_grad)
            self._stacked[id(first)] = whole
            for own, view in zip(tensors, whole.detach().unbind(0), strict=True):
                own.data = view

    def of(self, module: nn.Module) -> TensorDictBase:
        """Return the stacked tensors of a module of the first experiment, by name.

        Buffers that are the same for all seeds are not among them.
        """
        return self._of(TensorDict.from_module(module))

    def _of(self, own: TensorDictBase) -> TensorDictBase:
        stacked = {}
        for name, value in own.items():
            if is_tensor_collection(value):
                stacked[name] = self._of(value)
            elif id(value) in self._stacked:
                stacked[name] = self._stacked[id(value)]
        return TensorDict(stacked, [self.n_seeds, *own.batch_size])

    def stacked(self, tensor: Tensor) -> Tensor:
        """Return the stacked tensor ``[S, ...]`` for one of the first experiment."""
        return self._stacked[id(tensor)]


def _tensors(run: Experiment) -> list[Tensor]:
    modules: list[nn.Module] = [run.policy, *run.losses.values()]
    return [
        tensor
        for module in modules
        for tensors in (module.parameters(), module.buffers())
        for tensor in tensors
    ]
