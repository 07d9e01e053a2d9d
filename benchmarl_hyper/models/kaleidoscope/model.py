"""Kaleidoscope (arXiv 2410.08540): one network, in which each agent masks different weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp, GeneratedMlpConfig
from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.layers import Layer
from benchmarl_hyper.weights.rows import Rows, Table


class MaskedRows(nn.Module):
    """One shared layer with a threshold per agent and weight.

    The weights of agent i are ``W_i = sign(W) relu(|W| - sigmoid(S_i))``. Biases are shared.
    Thresholds ``S`` start at ``-(u * threshold_scale + threshold_bias)``, with ``u`` uniform
    between 0 and 1.

    Args:
        n_agents: number of agents.
        spec: sizes and initialisation of the layer.
        threshold_scale: width of the interval in which thresholds start.
        threshold_bias: distance from zero to this interval, which is below zero.
    """

    def __init__(
        self, n_agents: int, spec: LayerSpec, threshold_scale: float, threshold_bias: float
    ):
        super().__init__()
        self.rows = Rows(1, spec)
        self.scale, self.bias = threshold_scale, threshold_bias
        self.threshold = nn.Parameter(torch.empty(n_agents, spec.in_features, spec.out_features))
        self._draw_thresholds()

    def reset_parameters(self) -> None:
        """Redraw all thresholds and the shared layer, in place."""
        self._draw_thresholds()
        self.rows.reset_parameters()

    @torch.no_grad()
    def _draw_thresholds(self) -> None:
        self.threshold.uniform_().mul_(-self.scale).sub_(self.bias)

    def forward(self) -> Layer:
        """Return weights ``[n_agents, in, out]`` and the shared bias ``[1, 1, out]``."""
        weight, bias = self.rows()
        return Layer(weight.sign() * torch.relu(weight.abs() - self.threshold.sigmoid()), bias)

    def margin(self) -> Tensor:
        """Return ``|W| - sigmoid(S)``, ``[n_agents, in, out]``, with a gradient for ``S`` alone."""
        return self.rows.weight.detach().abs() - self.threshold.sigmoid()

    @torch.no_grad()
    def revive(self, probability: float) -> Tensor:
        """Redraw weights that all agents mask, and their thresholds, in place.

        Args:
            probability: probability that such a weight is redrawn.

        Returns:
            Whether each weight was redrawn, ``[in, out]``.
        """
        dead = (self.margin() <= 0).all(0)
        drawn = dead & (torch.rand(dead.shape, device=dead.device) < probability)
        weight, bias, threshold = self.rows.weight, self.rows.bias.clone(), self.threshold
        kept_weight, kept_threshold = weight.clone(), threshold.clone()
        self.rows.reset_parameters()
        self._draw_thresholds()
        weight.copy_(torch.where(drawn, weight, kept_weight))
        threshold.copy_(torch.where(drawn, threshold, kept_threshold))
        self.rows.bias.copy_(bias)
        return drawn


class _Mask(torch.autograd.Function):
    """1 where the margin is positive and 0 elsewhere, with the gradient ``tanh(g)`` everywhere."""

    @staticmethod
    def forward(ctx: Any, margin: Tensor) -> Tensor:
        return (margin > 0).to(margin)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].tanh()


def mask_diversity(layers: list[MaskedRows], weighted: bool) -> Tensor:
    """Return how differently agents mask weights: a scalar to maximise.

    It is ``sum_l 2^l sum_{i != j} |M_i^l - M_j^l|_1 / (n (n - 1) N)`` (Kaleidoscope, arXiv
    2410.08540), with masks ``M`` of layers ``l``, counted from 0, and ``N`` weights in all layers.
    If weighted, masks are multiplied by ``|W|``. The gradient reaches thresholds alone.

    Args:
        layers: layers of one network for two agents or more, first layer first.
        weighted: whether masks of large weights count for more.
    """
    magnitudes = [layer.rows.weight.detach().abs() for layer in layers]
    ones = [torch.ones_like(magnitude) for magnitude in magnitudes]
    return diversity([layer.margin() for layer in layers], magnitudes if weighted else ones)


def diversity(margins: Sequence[Tensor], magnitudes: Sequence[Tensor]) -> Tensor:
    """Return how differently ``n`` networks mask weights; see :func:`mask_diversity`.

    Args:
        margins: for each layer, where it is positive a weight is used, ``[n, in, out]``.
        magnitudes: for each layer, how much each weight counts, of a shape that broadcasts.
    """
    n_networks = len(margins[0])
    n_weights = sum(margin[0].numel() for margin in margins)
    total = torch.zeros((), device=margins[0].device)
    for index, (margin, magnitude) in enumerate(zip(margins, magnitudes, strict=True)):
        mask = _Mask.apply(margin)
        used = mask.detach()
        n_users = used.sum(0)
        # This gives the sum over pairs and its gradient with n terms and not n^2: a mask of 1
        # differs from n - n_users masks of 0, and a mask of 0 differs from n_users masks of 1.
        others = torch.where(used > 0, n_networks - n_users, -n_users) * magnitude
        total = total + 2**index * 2 * (mask * others).sum()
    return total / (n_networks * (n_networks - 1) * n_weights)


class Kaleidoscope(GeneratedMlp):
    """Shared weights, with learnable masks of each agent.

    Args:
        threshold_scale: width of the interval in which thresholds start, which is
            ``-(u * threshold_scale + threshold_bias)`` with ``u`` uniform between 0 and 1.
        threshold_bias: distance from zero to this interval.
        init: initial weights: ``"torch"`` (as published) or ``"orthogonal"``.
        out_gain: gain of the last layer if ``init`` is orthogonal. Set it then: its default of 0.01
            starts a policy's last layer at the size of the thresholds, so that agents mask about
            half of its weights, and masked weights do not learn.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    def __init__(self, threshold_scale: float, threshold_bias: float, **kwargs: Any):
        super().__init__(
            lambda n, specs: Table(
                MaskedRows(n, spec, threshold_scale, threshold_bias) for spec in specs
            ),
            **kwargs,
        )

    def masked_layers(self) -> list[MaskedRows]:
        """Return the layers with their thresholds, first layer first."""
        return list(self.generator.children())  # type: ignore[arg-type]


@dataclass(kw_only=True)
class KaleidoscopeConfig(GeneratedMlpConfig):
    """Configuration of :class:`Kaleidoscope`."""

    seeds_at_once: ClassVar[bool] = False

    threshold_scale: float
    threshold_bias: float

    @staticmethod
    def associated_class() -> type[Kaleidoscope]:
        """Return :class:`Kaleidoscope`, the model that this configuration builds."""
        return Kaleidoscope
