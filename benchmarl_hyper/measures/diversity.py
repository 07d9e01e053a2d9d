"""Behavioural diversity: how differently agents act on the same observations.

A function of distances returns a matrix ``[n, n]``: the distance between the policies of each two
of ``n`` agents. It is a mean over ``o`` observations, all of which are given to every agent. System
Neural Diversity (SND) is the mean of the matrix over pairs (Bettini et al., arXiv 2305.02128).
"""

from __future__ import annotations

import torch
from torch import Tensor


def snd(distances: Tensor) -> Tensor:
    """Return the System Neural Diversity: the mean distance over pairs of different agents.

    Args:
        distances: symmetric matrix ``[n, n]``, one of the distances below.

    Returns:
        A scalar; 0 for one agent.
    """
    n_pairs = max(len(distances) * (len(distances) - 1), 1)
    return (distances.sum() - distances.trace()) / n_pairs


def w2_distances(loc: Tensor, scale: Tensor | None = None) -> Tensor:
    """Return the 2-Wasserstein distances between diagonal Gaussians.

    On one observation the distance is ``sqrt(|m_i - m_j|^2 + |s_i - s_j|^2)``, with means ``m`` and
    standard deviations ``s``.

    Args:
        loc: means ``[n, o, a]``, before any squashing.
        scale: standard deviations ``[n, o, a]``; None to compare the means alone, as DiCo does
            (Bettini et al., arXiv 2405.15054).

    Returns:
        Distances ``[n, n]``, averaged over observations.
    """
    parameters = loc if scale is None else torch.cat([loc, scale], dim=-1)
    return torch.stack([(p - parameters).norm(dim=-1).mean(-1) for p in parameters])


def js_distances(probabilities: Tensor) -> Tensor:
    """Return the Jensen-Shannon distances between distributions over discrete actions.

    A distance is the square root of the divergence in base 2: 0 for equal distributions, 1 for
    disjoint ones.

    Args:
        probabilities: probabilities of ``k`` actions, ``[n, o, k]``.

    Returns:
        Distances ``[n, n]``, averaged over observations.
    """

    def entropy(p: Tensor) -> Tensor:
        return -torch.special.xlogy(p, p).sum(-1) / torch.tensor(2.0).log()

    own = entropy(probabilities)
    rows = [
        (entropy((p + probabilities) / 2) - (entropy(p) + own) / 2).clamp_min(0).sqrt().mean(-1)
        for p in probabilities
    ]
    return torch.stack(rows)


def tv_distances(probabilities: Tensor) -> Tensor:
    """Return the total variation distances between distributions over discrete actions.

    A distance is half the sum of absolute differences: 0 for equal distributions, 1 for disjoint
    ones.

    Args:
        probabilities: probabilities of ``k`` actions, ``[n, o, k]``.

    Returns:
        Distances ``[n, n]``, averaged over observations.
    """
    return torch.stack([(p - probabilities).abs().sum(-1).mean(-1) / 2 for p in probabilities])
