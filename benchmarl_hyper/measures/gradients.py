"""Gradient conflict and variance, from flat gradients of one set of shared parameters."""

from __future__ import annotations

import torch
from torch import Tensor


def cosine_similarities(gradients: Tensor) -> Tensor:
    """Return the cosines between gradients of agents.

    Args:
        gradients: one flat gradient per agent, ``[n, p]``.

    Returns:
        Cosines ``[n, n]``; nan where a gradient is zero.
    """
    directions = gradients / gradients.norm(dim=-1, keepdim=True)
    return directions @ directions.T


def conflict(cosines: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean cosine over pairs of agents, and the share of pairs with a negative one.

    A negative cosine is a conflict: a step for one agent undoes a step for another. HyperMARL's
    public code stores the negative of this mean.

    Args:
        cosines: cosines between gradients, ``[n, n]``; pairs with nan are left out.

    Returns:
        Two scalars; both are nan if no pair is left.
    """
    above = torch.ones_like(cosines, dtype=torch.bool).triu(diagonal=1)
    pairs = cosines[above & cosines.isfinite()]
    return pairs.mean(), (pairs < 0).to(cosines).mean()


def coordinate_variance(gradient: Tensor, n_parameters: int) -> Tensor:
    """Return the variance over the coordinates of one gradient, as HyperMARL reports it.

    It scales like ``|g|^2 / n_parameters``, so larger models have smaller values for free.

    Args:
        gradient: gradient with respect to the policy's parameters, ``[p]``.
        n_parameters: number of parameters of policy and critic together. The critic's coordinates
            are zero, and they count.
    """
    return gradient.square().sum() / n_parameters - (gradient.sum() / n_parameters).square()


def minibatch_variance(gradients: Tensor) -> Tensor:
    """Return the gradient's ratio of noise to signal, which is comparable at any model size.

    It is ``mean_b |g_b - g|^2 / |g|^2``, where ``g`` is the mean over minibatches ``b``.

    Args:
        gradients: gradients of equally large minibatches at the same parameters, ``[b, p]``.
    """
    mean = gradients.mean(0)
    return (gradients - mean).square().sum(-1).mean() / mean.square().sum()
