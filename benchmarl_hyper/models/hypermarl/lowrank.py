"""A hypernetwork that writes a low-rank product for each agent, on top of shared weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarl_hyper.models.hypermarl.hypernetwork import Centred, Codes
from benchmarl_hyper.models.hypermarl.step_norm import Steps
from benchmarl_hyper.weights.initialisation import LayerSpec, orthogonal_
from benchmarl_hyper.weights.layers import Layer, LowRankLayer
from benchmarl_hyper.weights.rows import redraw

CACHED = 2**20  # four-byte numbers in 4 MiB, one core's share of a processor's cache


class LowRankHead(nn.Module):
    """Linear map from codes to all layers of every agent's target network.

    ``W_i = W + A_i B_i``. The base ``W`` is learned and shared by all agents; ``A_i``, ``B_i`` and
    the biases are linear in the code, with offsets. Where the factors would have more than half as
    many numbers as the matrix, ``W_i`` itself is linear in the code, and its offset is the base.
    One matrix writes all layers in one product, and the layers are slices of the result.

    Args:
        n_codes: length of a code.
        specs: the target layers.
        rank: inner size of the products, reduced to the smaller side of smaller layers.
        steps: the steps of the layers; None for those of Adam on all parameters as they are.
    """

    multipliers: Tensor  # of rows and of offsets, for each number that is written

    def __init__(
        self, n_codes: int, specs: Sequence[LayerSpec], rank: int, steps: Steps | None = None
    ):
        super().__init__()
        self.steps = steps
        # Factors move a little together, too: by about a fifth of the own step, as measured
        self.base_step = (
            1.0 if steps is None else max(steps.common - steps.own / 5, steps.common / 2)
        )
        ranks = [min(rank, i, o) for i, o, _ in specs]
        self.specs = specs
        self.ranks = [
            r if 2 * r * (i + o) <= i * o else None
            for (i, o, _), r in zip(specs, ranks, strict=True)
        ]
        self.sizes: list[int] = []
        for (i, o, _), r in zip(specs, self.ranks, strict=True):
            self.sizes += [i * o, o] if r is None else [i * r, r * o, o]
        self.weight = nn.Parameter(torch.empty(n_codes, sum(self.sizes)))
        self.offset = nn.Parameter(torch.empty(1, sum(self.sizes)))
        if steps is not None:
            self.register_buffer("multipliers", torch.ones(2, sum(self.sizes)))
        self.base = nn.ParameterList(
            torch.empty(1, i, o)
            for (i, o, _), r in zip(specs, self.ranks, strict=True)
            if r is not None
        )
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Redraw each row, in place.

        Left factors have orthonormal columns. Right factors and bases are initialised like the
        layer and then scaled by :func:`share_norm_`. So codes of unit length write matrices that
        have, on average, the Frobenius norm of the layer. Biases start like those of one such
        layer.
        """
        rows, offsets = (self.layers(part, self.base) for part in (self.weight, self.offset))
        for row, offset, spec in zip(rows, offsets, self.specs, strict=True):
            if isinstance(row, LowRankLayer) and isinstance(offset, LowRankLayer):
                orthogonal_(row.left, row.bias, gain=1.0)
                spec.initialise(row.right, row.bias)
                offset.left.zero_()
                offset.right.zero_()
                spec.initialise(offset.base, offset.bias)
                share_norm_(row.right, offset.base)
            elif isinstance(row, Layer) and isinstance(offset, Layer):
                spec.initialise(row.weight, row.bias)
                spec.initialise(offset.weight, offset.bias)
                share_norm_(row.weight, offset.weight)
            row.bias.zero_()

    def layers(self, rows: Tensor, base: Iterable[Tensor]) -> list[Layer | LowRankLayer]:
        """Return the layers that are slices of ``rows``, ``[n, sum of sizes]``.

        Args:
            rows: the slices.
            base: the shared matrices of layers that are written as products.
        """
        parts, bases = iter(rows.split(self.sizes, dim=1)), iter(base)
        layers: list[Layer | LowRankLayer] = []
        for (i, o, _), r in zip(self.specs, self.ranks, strict=True):
            if r is None:
                weight, bias = next(parts).view(-1, i, o), next(parts).unsqueeze(1)
                layers.append(Layer(weight, bias))
            else:
                left, right = next(parts).view(-1, i, r), next(parts).view(-1, r, o)
                layers.append(LowRankLayer(next(bases), left, right, next(parts).unsqueeze(1)))
        return layers

    def forward(self, code: Tensor) -> list[Layer | LowRankLayer]:
        """Return the layers for codes ``[n_agents, n_codes]``, first layer first."""
        if self.steps is None:
            return self.layers(torch.addmm(self.offset, code, self.weight), self.base)
        own, common = self.multipliers
        base = [matrix * self.base_step for matrix in self.base]
        return self.layers(code @ self.weight * own + self.offset * common, base)

    @torch.no_grad()
    def start(self, centred: Centred) -> None:
        """Take over what has been drawn for codes that are not centred, in place.

        A product ``A_i B_i`` moves by ``dA_i B_i + A_i dB_i``. Each of the two is to be a half of
        the own step's square, so a factor moves by ``own / sqrt(2 r)`` over the root mean square of
        the other one. The offsets of factors move a quarter as far.

        Args:
            centred: the centred codes.
        """
        codes, centre, scale = centred
        assert self.steps is not None
        as_drawn = codes / scale + centre
        written = iter((as_drawn @ self.weight + self.offset).split(self.sizes, dim=1))
        own, common = (iter(m.split(self.sizes)) for m in self.multipliers)
        for r in self.ranks:
            if r is not None:
                left, right = (next(written).square().mean().sqrt() for _ in range(2))
                for other in (right, left):
                    step = 1 / (other * (2 * r) ** 0.5)
                    next(own).fill_(step)
                    next(common).fill_(step * self.steps.own / 4)
            for _ in range(2 if r is None else 1):
                next(written)
                next(own).fill_(1)
                next(common).fill_(self.steps.common)
        self.offset.add_(centre @ self.weight).div_(self.multipliers[1])
        self.weight.div_(scale * self.multipliers[0])
        for base in self.base:
            base.div_(self.base_step)


class LowRankHypernetwork(Codes):
    """A hypernetwork with one trunk and one :class:`LowRankHead`.

    Args:
        n_agents: number of agents.
        specs: the target layers.
        rank: inner size of the products; see :class:`LowRankHead`.
        **codes: the other arguments of
            :class:`~benchmarl_hyper.models.hypermarl.hypernetwork.Codes`.

    Attributes:
        few_rows: the largest number of inputs per agent for which :meth:`factors` run faster than
            full weights. They cost ``r (in + out)`` more products per input, and save every agent
            the reading of ``in out`` weights, unless a cache holds the weights of all agents.
    """

    def __init__(self, n_agents: int, specs: Sequence[LayerSpec], rank: int, **codes: Any):
        super().__init__(n_agents, n_trunks=1, **codes)
        self.head = LowRankHead(self.n_codes, specs, rank, self.steps)
        self._start()
        sizes = zip(specs, self.head.ranks, strict=True)
        products = [(i, o, r) for (i, o, _), r in sizes if r is not None]
        saved, spent = sum(i * o for i, o, _ in products), sum(r * (i + o) for i, o, r in products)
        self.few_rows = saved // spent if n_agents * saved > CACHED else 0

    def reset_parameters(self) -> None:
        """Draw a new initialisation of all parts, in place."""
        for part in self.children():
            redraw(part)
        self._start()

    def _start(self) -> None:
        if self.steps is not None:
            self.head.start(Centred(*(x.squeeze(0) for x in self.centred())))

    def forward(self) -> list[Layer]:
        """Return full weights ``[n_agents, in, out]`` and biases ``[n_agents, 1, out]``."""
        return [layer.multiplied_out() for layer in self.factors()]

    def factors(self) -> list[Layer | LowRankLayer]:
        """Return the same layers as ``forward``, with products that are not multiplied out."""
        codes = self.centred().codes if self.steps else self.codes()
        return self.head(codes.squeeze(0))


@torch.no_grad()
def share_norm_(own: Tensor, common: Tensor) -> None:
    """Scale both in place, so that their sum has the norm that ``common`` was drawn with.

    With independent entries of mean zero, the squared Frobenius norms of the two parts add up. So
    both are multiplied by ``(1 + |own|^2 / |common|^2)^(-1/2)``, where ``|own|^2`` is the mean over
    units, as for a code of unit length.

    Args:
        own: a matrix for each unit of a code, ``[n_codes, ..., out]``.
        common: the matrix that all agents share, ``[1, in, out]``.
    """
    ratio = own.square().sum() / len(own) / common.square().sum()
    for part in (own, common):
        part.mul_((1 + ratio).rsqrt())
