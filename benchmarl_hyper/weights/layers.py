"""The target forward: run the MLPs of many agents at once, on weights that are given to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Layer(NamedTuple):
    """One linear layer of ``n`` networks, or of 1 network that all of them use.

    Attributes:
        weight: ``[n or 1, in, out]``, applied as ``x @ weight``.
        bias: ``[n or 1, out]``, or ``[n or 1, 1, out]``, which saves a step.
    """

    weight: Tensor
    bias: Tensor

    def merged(self) -> Layer:
        """Itself."""
        return self


class LowRankLayer(NamedTuple):
    """One linear layer of ``n`` networks that differ in a product of rank ``r``.

    Attributes:
        base: ``[1, in, out]``, of everybody.
        left: ``[n, in, r]``.
        right: ``[n, r, out]``.
        bias: ``[n, out]``.
    """

    base: Tensor
    left: Tensor
    right: Tensor
    bias: Tensor

    def merged(self) -> Layer:
        """The same layer with full weights, ``base + left @ right``."""
        base, left, right, bias = self
        return Layer(torch.baddbmm(base.expand(len(left), -1, -1), left, right), bias)


def target_mlp(
    x: Tensor,
    layers: Sequence[Layer | LowRankLayer],
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    """Run ``n`` MLPs, one batched product per layer.

    The observation enters here and only here; the agent's identity enters only where
    ``layers`` are generated (HyperMARL, arXiv 2412.04233).

    Args:
        x: ``[n or 1, batch, in]``; with 1, every network reads the same input.
        layers: the weights, first layer first.
        activation: applied between layers, not after the last.

    Returns:
        ``[n, batch, out]``, or ``[1, batch, out]`` when input and layers have no second network.
    """
    *hidden, last = layers
    for layer in hidden:
        x = activation(_linear(x, layer))
    return _linear(x, last)


def _linear(x: Tensor, layer: Layer | LowRankLayer) -> Tensor:
    if isinstance(layer, LowRankLayer):
        return _low_rank(x, layer)
    weight, bias = layer
    if bias.dim() == 2:
        bias = bias.unsqueeze(1)
    n_inputs, n_weights, n_biases = x.size(0), weight.size(0), bias.size(0)
    if n_inputs == n_weights >= n_biases:
        return torch.baddbmm(bias, x, weight)
    if n_weights == n_biases == 1:  # a plain product, however many agents
        common = x.reshape(1, -1, x.size(-1))
        return torch.baddbmm(bias, common, weight).view(n_inputs, -1, bias.size(-1))
    n = max(n_inputs, n_weights, n_biases)
    return torch.baddbmm(bias, x.expand(n, -1, -1), weight.expand(n, -1, -1))


def _low_rank(x: Tensor, layer: LowRankLayer) -> Tensor:
    base, left, right, bias = layer
    x = x.expand(left.size(0), -1, -1)
    own = torch.baddbmm(bias.unsqueeze(1), x @ left, right)
    common = x.reshape(-1, x.size(-1))  # one product for everybody
    return torch.addmm(own.flatten(0, 1), common, base.squeeze(0)).view(own.shape)
