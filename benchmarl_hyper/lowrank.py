"""A hypernetwork that writes what sets agents apart: products of low rank, on a shared base."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarl_hyper.functional import Layer, LowRankLayer
from benchmarl_hyper.generators import Codes, Rows, Table
from benchmarl_hyper.initialisation import LayerSpec, orthogonal_, scaled_

# On a CPU, full weights of a rollout that fit into its cache are faster than factors of them.
MANY_WEIGHTS = 2**20


def with_room(spec: LayerSpec, rank: int) -> LayerSpec:
    """The layer, drawn so small that base and product together have its Frobenius norm."""
    with torch.random.fork_rng(devices=[]):  # the scale is no matter of chance
        torch.default_generator.manual_seed(0)
        whole, right = (_mean_square(spec, i) for i in (spec.in_features, rank))
    scale = (1 + right / whole) ** -0.5
    return spec._replace(initialise=partial(scaled_, initialise=spec.initialise, scale=scale))


def _mean_square(spec: LayerSpec, n_inputs: int) -> float:
    """Of the Frobenius norm, if the layer had so many inputs; small layers are drawn often."""
    size = n_inputs * spec.out_features
    weight = torch.empty(1 + 4096 // size, n_inputs, spec.out_features)
    spec.initialise(weight, weight.new_empty(len(weight), spec.out_features))
    return weight.square().sum().item() / len(weight)


class Factors(nn.Module):
    """Linear map, without offset, from a code to all layers' left and right factors and biases.

    One matrix for all of them: one product writes them, and slices of it are the layers.

    Args:
        n_codes: length of a code.
        specs: the target layers.
        ranks: inner sizes of the layers' products.
    """

    def __init__(self, n_codes: int, specs: Sequence[LayerSpec], ranks: Sequence[int]):
        super().__init__()
        self.specs, self.ranks = specs, ranks
        self.sizes = [
            size for (i, o, _), r in zip(specs, ranks, strict=True) for size in (i * r, r * o, o)
        ]
        self.weight = nn.Parameter(torch.empty(n_codes, sum(self.sizes)))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw each row anew, in place.

        Left factors have orthonormal columns, right factors are drawn like the layer and biases
        are zero. So a code of unit length writes products whose Frobenius norm is, on average,
        that of a right factor.
        """
        for (left, right, bias), spec in zip(self.split(self.weight), self.specs, strict=True):
            orthogonal_(left, bias, gain=1.0)
            spec.initialise(right, bias)
            bias.zero_()

    def split(self, rows: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Per layer, ``[rows, in, r]``, ``[rows, r, out]`` and ``[rows, out]``."""
        parts = rows.split(self.sizes, dim=1)
        return [
            (left.unflatten(1, (-1, r)), right.unflatten(1, (r, -1)), bias)
            for left, right, bias, r in zip(
                parts[::3], parts[1::3], parts[2::3], self.ranks, strict=True
            )
        ]

    def forward(self, code: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The parts for codes ``[n_agents, n_codes]``."""
        return self.split(code @ self.weight)


class LowRankHypernetwork(Codes):
    """``W_i = W + A(e_i) B(e_i)`` and ``b_i = b + c(e_i)`` for every target layer.

    ``W`` and ``b`` are learned and shared by all agents; one trunk and one head write the rest.

    Args:
        n_agents: number of agents.
        specs: the target layers.
        rank: inner size of the products, at most; no more than a layer's smaller side.
        **codes: see :class:`~benchmarl_hyper.generators.Codes`.
    """

    def __init__(self, n_agents: int, specs: Sequence[LayerSpec], rank: int, **codes: Any):
        super().__init__(n_agents, n_trunks=1, **codes)
        ranks = [min(rank, i, o) for i, o, _ in specs]
        specs = [with_room(spec, r) for spec, r in zip(specs, ranks, strict=True)]
        self.base = Table(Rows(1, spec) for spec in specs)
        self.head = Factors(self.n_codes, specs, ranks)
        self.n_weights = n_agents * sum(i * o for i, o, _ in specs)
        self.few_rows = max(i * o // (4 * (i + o)) for i, o, _ in specs)

    def factors(self) -> list[LowRankLayer]:
        """The layers as products, first layer first."""
        return [
            LowRankLayer(weight, left, right, bias + own_bias)
            for (weight, bias), (left, right, own_bias) in zip(
                self.base(), self.head(self.codes()[0]), strict=True
            )
        ]

    def forward(self) -> list[Layer]:
        """Weights ``[n_agents, in, out]`` and biases ``[n_agents, out]``, first layer first."""
        return [layer.merged() for layer in self.factors()]

    def pays_unmerged(self, n_rows: int) -> bool:
        """Whether factors are faster than full weights on ``n_rows`` inputs per agent."""
        return self.n_weights >= MANY_WEIGHTS and n_rows <= self.few_rows
