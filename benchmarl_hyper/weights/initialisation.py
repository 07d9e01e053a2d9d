"""Initial weights: how the rows of a layer are drawn, in place."""

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
    """Sizes of a linear layer and the function that fills its ``weight`` and ``bias`` rows."""

    in_features: int
    out_features: int
    initialise: Initialiser


def layer_specs(sizes: Sequence[int], scheme: str, out_gain: float) -> list[LayerSpec]:
    """The layers of an MLP with the given sizes, input first.

    Args:
        sizes: ``[in, hidden..., out]``.
        scheme: ``"orthogonal"`` as in HyperMARL (gain sqrt(2), zero biases) or ``"torch"``,
            the default of :class:`torch.nn.Linear`.
        out_gain: gain of the last layer under ``"orthogonal"``.
    """
    gains = [HIDDEN_GAIN] * (len(sizes) - 2) + [out_gain]
    return [
        LayerSpec(i, o, torch_default_ if scheme == "torch" else partial(orthogonal_, gain=gain))
        for (i, o), gain in zip(pairwise(sizes), gains, strict=True)
    ]


@torch.no_grad()
def orthogonal_(weight: Tensor, bias: Tensor, gain: float) -> None:
    """Make every row of ``weight`` an independent orthogonal matrix times ``gain``; zero ``bias``.

    Args:
        weight: ``[rows, in, out]``. A hypernetwork's head has one row per unit of its input,
            so this is its per-unit initialisation (HyperMARL's public code).
        bias: ``[rows, out]``.
        gain: scale of the matrices.
    """
    for matrix in weight:
        nn.init.orthogonal_(matrix, gain)
    bias.zero_()


@torch.no_grad()
def torch_default_(weight: Tensor, bias: Tensor) -> None:
    """Fill every row as :class:`torch.nn.Linear` would: uniform within ``1 / sqrt(in)``.

    Args:
        weight: ``[rows, in, out]``.
        bias: ``[rows, out]``.
    """
    bound = weight.shape[-2] ** -0.5
    weight.uniform_(-bound, bound)
    bias.uniform_(-bound, bound)


@torch.no_grad()
def scaled_(weight: Tensor, bias: Tensor, initialise: Initialiser, scale: float) -> None:
    """Fill every row as ``initialise`` does, with ``scale`` times its weights.

    Args:
        weight: ``[rows, in, out]``.
        bias: ``[rows, out]``.
        initialise: what is scaled.
        scale: of the weights; biases stay as they are.
    """
    initialise(weight, bias)
    weight.mul_(scale)


@torch.no_grad()
def lecun_normal_(weight: Tensor, bias: Tensor) -> None:
    """Truncated normal of variance ``1 / in``, zero bias: the trunks of HyperMARL's public code.

    Args:
        weight: ``[rows, in, out]``.
        bias: ``[rows, out]``.
    """
    kept_std = 0.87962566103423978  # of a unit normal cut at two standard deviations
    std = weight.shape[-2] ** -0.5 / kept_std
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
    bias.zero_()


@torch.no_grad()
def lecun_normal_head_(weight: Tensor, bias: Tensor) -> None:
    """As :func:`lecun_normal_`, with the rows as inputs: all of ``weight`` is one linear map.

    Args:
        weight: ``[rows, in, out]``, of variance ``1 / rows`` whatever the layer it is to write.
        bias: ``[rows, out]``.
    """
    lecun_normal_(weight.view(1, len(weight), -1), bias)


@torch.no_grad()
def zero_(weight: Tensor, bias: Tensor) -> None:
    """Start from nothing: the offsets of a hypernetwork's heads."""
    weight.zero_()
    bias.zero_()
