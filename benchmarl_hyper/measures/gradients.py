"""Gradient interference and variance, from flat gradients of one set of shared parameters."""

from __future__ import annotations

import torch
from torch import Tensor


def cosine_similarities(gradients: Tensor) -> Tensor:
    """Cosines between gradients ``[n, p]``, as ``[n, n]``; nan where a gradient is zero."""
    directions = gradients / gradients.norm(dim=-1, keepdim=True)
    return directions @ directions.T


def conflict(cosines: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cosine over pairs of agents, and the share of pairs with a negative one.

    Negative is conflict: a step for one agent undoes another's. HyperMARL's public code stores the
    negative of this mean.

    Args:
        cosines: ``[n, n]``; pairs with nan are left out. Without any pair both results are nan.
    """
    above = torch.ones_like(cosines, dtype=torch.bool).triu(diagonal=1)
    pairs = cosines[above & cosines.isfinite()]
    return pairs.mean(), (pairs < 0).to(cosines).mean()


def coordinate_variance(gradient: Tensor, n_parameters: int) -> Tensor:
    """Variance over the coordinates of one gradient, as HyperMARL reports it.

    It scales like ``|g|^2 / n_parameters``, so larger models have smaller values for free.

    Args:
        gradient: ``[p]``, with respect to the policy.
        n_parameters: of policy and critic; the critic's coordinates are zero, and count.
    """
    return gradient.square().sum() / n_parameters - (gradient.sum() / n_parameters).square()


def minibatch_variance(gradients: Tensor) -> Tensor:
    """``mean_b |g_b - g|^2 / |g|^2`` with ``g`` the mean: noise to signal, at any model size.

    Args:
        gradients: ``[b, p]``, of equally large minibatches at the same parameters.
    """
    mean = gradients.mean(0)
    return (gradients - mean).square().sum(-1).mean() / mean.square().sum()
