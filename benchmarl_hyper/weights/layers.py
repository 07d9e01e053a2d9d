"""The target network's forward: run the MLPs of many agents at once, on given weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Layer(NamedTuple):
    """One linear layer of ``n`` networks, or of 1 network that all agents share.

    Attributes:
        weight: ``[n or 1, in, out]``, applied as ``x @ weight``.
        bias: ``[n or 1, 1, out]``.
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return the output ``[n or 1, batch, out]`` of each network for its input.

        Args:
            x: input ``[n or 1, batch, in]``; with 1, every network reads the same input.
        """
        weight, bias = self
        n_inputs, n_weights, n_biases = x.size(0), weight.size(0), bias.size(0)
        if n_inputs == n_weights >= n_biases:
            return torch.baddbmm(bias, x, weight)
        if n_weights == n_biases == 1:  # one plain product serves any number of agents
            common = x.reshape(1, -1, x.size(-1))
            return torch.baddbmm(bias, common, weight).view(n_inputs, -1, bias.size(-1))
        n = max(n_inputs, n_weights, n_biases)
        return torch.baddbmm(bias, x.expand(n, -1, -1), weight.expand(n, -1, -1))

    def multiplied_out(self) -> Layer:
        """Return the layer itself, since its weights are not factored."""
        return self


class LowRankLayer(NamedTuple):
    """One linear layer of ``n`` networks whose weights differ by a product of rank ``r``.

    Attributes:
        base: ``[1, in, out]``, shared by all networks.
        left: ``[n, in, r]``.
        right: ``[n, r, out]``.
        bias: ``[n, 1, out]``.
    """

    base: Tensor
    left: Tensor
    right: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return the output ``[n, batch, out]`` of each network, without multiplying out factors.

        Args:
            x: input ``[n or 1, batch, in]``; with 1, every network reads the same input.
        """
        base, left, right, bias = self
        x = x.expand(left.size(0), -1, -1)
        own = torch.baddbmm(bias, x @ left, right)
        common = x.reshape(-1, x.size(-1))  # the base is shared, so one product is enough
        return torch.addmm(own.flatten(0, 1), common, base.squeeze(0)).view(own.shape)

    def multiplied_out(self) -> Layer:
        """Return the same layer with full weights, ``base + left @ right``."""
        base, left, right, bias = self
        return Layer(torch.baddbmm(base.expand(len(left), -1, -1), left, right), bias)


def target_mlp(
    x: Tensor,
    layers: Sequence[Layer | LowRankLayer],
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    """Run ``n`` MLPs, with one batched product per layer.

    In a target network, ``x`` is what the agents observe. The identity of an agent enters only
    where ``layers`` are generated (HyperMARL, arXiv 2412.04233). The trunks of hypernetworks and
    the encoders of recurrent models run here, too.

    Args:
        x: input ``[n or 1, batch, in]``; with 1, every network reads the same input.
        layers: the layers, first layer first.
        activation: function that is applied between layers, and not after the last one.

    Returns:
        Output ``[n, batch, out]``, or ``[1, batch, out]`` if input and layers all have a 1.
    """
    *hidden, last = layers
    for layer in hidden:
        x = activation(layer(x))
    return last(x)
