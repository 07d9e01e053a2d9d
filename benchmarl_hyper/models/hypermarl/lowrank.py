"""A hypernetwork that writes what sets agents apart: products of low rank, on a shared base."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarl_hyper.weights.initialisation import LayerSpec, orthogonal_, scaled_
from benchmarl_hyper.weights.layers import Layer, LowRankLayer
from benchmarl_hyper.weights.rows import Codes

# Measured on a CPU: full weights that fit into its cache are faster than factors of them, and so
# are those of small layers.
MANY_WEIGHTS, LARGE_LAYER = 2**20, 2**15


class LowRankHead(nn.Module):
    """Linear map from codes to the layers of every agent's network.

    ``W_i = W + A_i B_i``, where ``W`` is learned and shared by all agents, and where ``A_i``,
    ``B_i`` and the biases are linear in the code, with offsets. Where factors would have more than
    half the numbers of a matrix, ``W_i`` itself is linear in the code, and its offset is the base.
    One matrix writes all of them: one product, and slices of it are the layers.

    Args:
        n_codes: length of a code.
        specs: the target layers.
        rank: inner size of the products; no more than a layer's smaller side.
    """

    def __init__(self, n_codes: int, specs: Sequence[LayerSpec], rank: int):
        super().__init__()
        ranks = [min(rank, i, o) for i, o, _ in specs]
        self.ranks = [
            r if 2 * r * (i + o) <= i * o else None
            for (i, o, _), r in zip(specs, ranks, strict=True)
        ]
        self.specs = [with_room(spec, r) for spec, r in zip(specs, self.ranks, strict=True)]
        self.sizes: list[int] = []
        for (i, o, _), r in zip(specs, self.ranks, strict=True):
            self.sizes += [i * o, o] if r is None else [i * r, r * o, o]
        self.weight = nn.Parameter(torch.empty(n_codes, sum(self.sizes)))
        self.offset = nn.Parameter(torch.empty(1, sum(self.sizes)))
        self.base = nn.ParameterList(
            torch.empty(1, i, o)
            for (i, o, _), r in zip(specs, self.ranks, strict=True)
            if r is not None
        )
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw each row anew, in place.

        Left factors have orthonormal columns, right factors and bases are drawn like the layer,
        with room for each other, and biases as in one such layer. So codes of unit length write
        matrices that have, on average, the Frobenius norm of the layer.
        """
        rows, offsets = self.layers(self.weight), self.layers(self.offset)
        for row, offset, spec in zip(rows, offsets, self.specs, strict=True):
            if isinstance(row, LowRankLayer) and isinstance(offset, LowRankLayer):
                orthogonal_(row.left, row.bias, gain=1.0)
                spec.initialise(row.right, row.bias)
                offset.left.zero_()
                offset.right.zero_()
                spec.initialise(offset.base, offset.bias)
            elif isinstance(row, Layer) and isinstance(offset, Layer):
                spec.initialise(row.weight, row.bias)
                spec.initialise(offset.weight, offset.bias)
            row.bias.zero_()

    def layers(self, rows: Tensor) -> list[Layer | LowRankLayer]:
        """The layers that are written in rows ``[n, sum of sizes]``."""
        parts, bases = iter(rows.split(self.sizes, dim=1)), iter(self.base)
        layers: list[Layer | LowRankLayer] = []
        for (i, o, _), r in zip(self.specs, self.ranks, strict=True):
            if r is None:
                layers.append(Layer(next(parts).view(-1, i, o), next(parts)))
            else:
                left, right = next(parts).view(-1, i, r), next(parts).view(-1, r, o)
                layers.append(LowRankLayer(next(bases), left, right, next(parts)))
        return layers

    def forward(self, code: Tensor) -> list[Layer | LowRankLayer]:
        """The layers for codes ``[n_agents, n_codes]``, first layer first."""
        return self.layers(torch.addmm(self.offset, code, self.weight))


class LowRankHypernetwork(Codes):
    """One trunk and one :class:`LowRankHead`.

    Args:
        n_agents: number of agents.
        specs: the target layers.
        rank: see :class:`LowRankHead`.
        **codes: see :class:`~benchmarl_hyper.weights.rows.Codes`.

    Attributes:
        few_rows: up to so many inputs per agent, :meth:`factors` are faster than full weights.
    """

    def __init__(self, n_agents: int, specs: Sequence[LayerSpec], rank: int, **codes: Any):
        super().__init__(n_agents, n_trunks=1, **codes)
        self.head = LowRankHead(self.n_codes, specs, rank)
        is_many = n_agents * sum(i * o for i, o, _ in specs) >= MANY_WEIGHTS
        self.few_rows = is_many * max(i * o // (4 * (i + o)) for i, o, _ in specs)
        self.is_large = [i * o >= LARGE_LAYER for i, o, _ in specs]

    def forward(self) -> list[Layer]:
        """Weights ``[n_agents, in, out]`` and biases ``[n_agents, out]``, first layer first."""
        return [layer.merged() for layer in self.head(self.codes().squeeze(0))]

    def factors(self) -> list[Layer | LowRankLayer]:
        """The same, with products that are not multiplied out in large layers."""
        layers = self.head(self.codes().squeeze(0))
        pairs = zip(layers, self.is_large, strict=True)
        return [layer if is_large else layer.merged() for layer, is_large in pairs]


def with_room(spec: LayerSpec, rank: int | None) -> LayerSpec:
    """The layer, drawn so small that base and product together have its Frobenius norm."""
    with torch.random.fork_rng(devices=[]):  # the scale is no matter of chance
        torch.default_generator.manual_seed(0)
        base, product = (_mean_square(spec, i or spec.in_features) for i in (None, rank))
    scale = (1 + product / base) ** -0.5
    return spec._replace(initialise=partial(scaled_, initialise=spec.initialise, scale=scale))


def _mean_square(spec: LayerSpec, n_inputs: int) -> float:
    """Of the Frobenius norm, if the layer had so many inputs; small layers are drawn often."""
    size = n_inputs * spec.out_features
    weight = torch.empty(1 + 4096 // size, n_inputs, spec.out_features)
    spec.initialise(weight, weight.new_empty(len(weight), spec.out_features))
    return weight.square().sum().item() / len(weight)
