"""Behavioural diversity: how differently agents act on the same observations.

Every distance is a matrix ``[n, n]`` between the policies of ``n`` agents, a mean over ``o``
observations that each of them was given. System Neural Diversity (SND) is its mean over pairs
(Bettini et al., arXiv 2305.02128).
"""

from __future__ import annotations

import torch
from torch import Tensor


def snd(distances: Tensor) -> Tensor:
    """Mean over the pairs of different agents; 0 for one agent.

    Args:
        distances: ``[n, n]``, symmetric.
    """
    n_pairs = max(len(distances) * (len(distances) - 1), 1)
    return (distances.sum() - distances.trace()) / n_pairs


def w2_distances(loc: Tensor, scale: Tensor | None = None) -> Tensor:
    """2-Wasserstein distances of diagonal Gaussians, ``sqrt(|m_i - m_j|^2 + |s_i - s_j|^2)``.

    Args:
        loc: means ``[n, o, a]``, before any squashing.
        scale: standard deviations ``[n, o, a]``; None compares the means alone, as DiCo does
            (Bettini et al., arXiv 2405.15054).
    """
    parameters = loc if scale is None else torch.cat([loc, scale], dim=-1)
    return torch.stack([(p - parameters).norm(dim=-1).mean(-1) for p in parameters])


def js_distances(probabilities: Tensor) -> Tensor:
    """Jensen-Shannon distances in base 2, from 0 for equal to 1 for disjoint distributions.

    Args:
        probabilities: ``[n, o, k]``.
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
    """Total variation distances, half the sum of absolute differences: from 0 to 1.

    Args:
        probabilities: ``[n, o, k]``.
    """
    return torch.stack([(p - probabilities).abs().sum(-1).mean(-1) / 2 for p in probabilities])
