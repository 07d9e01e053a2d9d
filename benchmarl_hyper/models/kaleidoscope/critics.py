"""Kaleidoscope's critics: the ensemble of a loss, as one network under one mask per critic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torchrl.objectives import LossModule

from benchmarl_hyper.models.kaleidoscope.model import Kaleidoscope, diversity


class MaskedCritics:
    """The critics of a loss that differ in their thresholds alone.

    torchrl keeps a copy of every parameter per critic. The copies of weights and biases start
    equal, and each gets the sum of their gradients. So they stay equal, and act as one tensor.

    Args:
        loss: a loss whose critics are an ensemble of :class:`Kaleidoscope`.
    """

    def __init__(self, loss: LossModule):
        self.params: Any = loss.qvalue_network_params
        self.keys = [key for key in self.params.keys(True, True) if key[-1] == "threshold"]
        for key, shared in self.params.items(True, True):
            if key[-1] != "threshold":
                shared.data.copy_(shared.data[:1].expand_as(shared).clone())
                shared.register_hook(_summed)
        if loss.delay_qvalue:
            target: Any = loss.target_qvalue_network_params
            target.data.update_(self.params.data)

    def loss_diversity(self, weighted: bool) -> Tensor:
        """Return minus the diversity of the critics' masks, with a gradient for thresholds alone.

        Args:
            weighted: whether masks of large weights count for more.
        """
        margins, magnitudes = [], []
        for threshold, weight in self._layers():
            magnitude = weight[0].detach().abs().expand(threshold.shape[1:])
            margins.append((magnitude - threshold.sigmoid()).flatten(1, 2))
            magnitudes.append(magnitude.flatten(0, 1) if weighted else torch.ones(()).to(weight))
        return -diversity(margins, magnitudes)

    @torch.no_grad()
    def redraw(self, index: int, scale: float, bias: float) -> None:
        """Redraw the thresholds of one critic, in place.

        Args:
            index: number of the critic; counting goes on at 0 after the last.
            scale: width of the interval in which thresholds start.
            bias: distance from zero to this interval, which is below zero.
        """
        for threshold, _ in self._layers():
            threshold.data[index % len(threshold)].uniform_().mul_(-scale).sub_(bias)

    def _layers(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield thresholds ``[critics, n, in, out]`` and weights ``[critics, 1, in, out]``."""
        for key in self.keys:
            yield self.params[key], self.params[(*key[:-1], "rows", "weight")]


def masked_critics(loss: LossModule) -> tuple[MaskedCritics, Kaleidoscope] | None:
    """Return a loss's ensemble of masked critics with its model; None if it has no such ensemble.

    Args:
        loss: the loss of a group.
    """
    network = getattr(loss, "qvalue_network", None)
    models = [m for m in network.modules() if isinstance(m, Kaleidoscope)] if network else []
    if len(models) != 1 or len(loss.qvalue_network_params) < 2:
        return None
    return MaskedCritics(loss), models[0]


def _summed(gradient: Tensor) -> Tensor:
    return gradient.sum(0, keepdim=True).expand_as(gradient)
