"""Initial weights: functions that fill the rows of a layer, in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

HIDDEN_GAIN = 2**0.5
SCHEMES = ("orthogonal", "torch")

Initialiser = Callable[[Tensor, Tensor], None]


class LayerSpec(NamedTuple):
    """Sizes of a linear layer, and the function that initialises it.

    Attributes:
        in_features: number of inputs.
        out_features: number of outputs.
        initialise: function that fills a weight ``[rows, in, out]`` and a bias ``[rows, out]``.
    """

    in_features: int
    out_features: int
    initialise: Initialiser


def layer_specs(sizes: Sequence[int], scheme: str, out_gain: float) -> list[LayerSpec]:
    """Return the layers of an MLP with the given sizes, first layer first.

    Args:
        sizes: ``[in, hidden..., out]``.
        scheme: ``"orthogonal"``, as in HyperMARL (gain sqrt(2), zero biases), or ``"torch"``,
            the default of :class:`torch.nn.Linear`.
        out_gain: gain of the last layer; it has no effect on ``"torch"``.
    """
    gains = [HIDDEN_GAIN] * (len(sizes) - 2) + [out_gain]
    return [
        LayerSpec(i, o, torch_default_ if scheme == "torch" else partial(orthogonal_, gain=gain))
        for (i, o), gain in zip(pairwise(sizes), gains, strict=True)
    ]


@torch.no_grad()
def orthogonal_(weight: Tensor, bias: Tensor, gain: float) -> None:
    """Fill each row of ``weight`` with an orthogonal matrix times ``gain``, and ``bias`` with 0.

    The matrices are independent. A hypernetwork's head has one row per unit of its input, so this
    is its per-unit initialisation (HyperMARL's public code).

    Args:
        weight: weights to fill, ``[rows, in, out]``.
        bias: biases to fill, ``[rows, out]``.
        gain: scale of the matrices.
    """
    for matrix in weight:
        nn.init.orthogonal_(matrix, gain)
    bias.zero_()


@torch.no_grad()
def torch_default_(weight: Tensor, bias: Tensor) -> None:
    """Fill each row as :class:`torch.nn.Linear` does.

    Weights and biases are uniform between ``-1 / sqrt(in)`` and ``1 / sqrt(in)``.

    Args:
        weight: weights to fill, ``[rows, in, out]``.
        bias: biases to fill, ``[rows, out]``.
    """
    bound = weight.shape[-2] ** -0.5
    weight.uniform_(-bound, bound)
    bias.uniform_(-bound, bound)


@torch.no_grad()
def lecun_normal_(weight: Tensor, bias: Tensor) -> None:
    """Fill ``weight`` from a truncated normal of variance ``1 / in``, and ``bias`` with zeros.

    The trunks of HyperMARL's public code start like this.

    Args:
        weight: weights to fill, ``[rows, in, out]``.
        bias: biases to fill, ``[rows, out]``.
    """
    # The standard deviation of a unit normal that is cut at two standard deviations.
    kept_std = 0.87962566103423978
    std = weight.shape[-2] ** -0.5 / kept_std
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
    bias.zero_()


@torch.no_grad()
def lecun_normal_head_(weight: Tensor, bias: Tensor) -> None:
    """Fill ``weight`` as :func:`lecun_normal_` does, but as one linear map with the rows as inputs.

    The variance is ``1 / rows``, whatever the sizes of the layer that the map writes.

    Args:
        weight: weights to fill, ``[rows, in, out]``.
        bias: biases to fill, ``[rows, out]``.
    """
    lecun_normal_(weight.view(1, len(weight), -1), bias)


@torch.no_grad()
def zero_(weight: Tensor, bias: Tensor) -> None:
    """Fill weights and biases with zeros; the offsets of a hypernetwork's heads start like this.

    Args:
        weight: weights to fill, ``[rows, in, out]``.
        bias: biases to fill, ``[rows, out]``.
    """
    weight.zero_()
    bias.zero_()
