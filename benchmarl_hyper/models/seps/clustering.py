"""Cluster agents by what they see, do and get, with pure functions: SePS (arXiv 2102.07475)."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

WIDTH = 64  # size of all hidden layers, as published


class Transitions(NamedTuple):
    """Steps of agents, one per row.

    Attributes:
        agent: index of the agent, ``[rows]``.
        given: what the agent saw and did, ``[rows, features]``.
        followed: what it saw next, and its reward, ``[rows, features]``.
    """

    agent: Tensor
    given: Tensor
    followed: Tensor


def agent_codes(
    transitions: Transitions,
    n_agents: int,
    latent_dim: int,
    epochs: int,
    batch_size: int,
    lr: float,
    kl_weight: float,
) -> Tensor:
    """Return a code for each agent, learned by predicting the agents' steps.

    An encoder ``q(z | i)`` of one-hot ids and a decoder ``p(o', r | z, o, a)`` minimise the summed
    squared error plus ``kl_weight`` times the Kullback-Leibler divergence of ``q`` from the unit
    normal. A code is the mean of ``q``. All randomness comes from torch's default generator.

    Args:
        transitions: the steps that the decoder learns to predict.
        n_agents: number of agents, which is the length of an id.
        latent_dim: length of a code.
        epochs: number of passes over the transitions.
        batch_size: number of transitions per optimiser step.
        lr: Adam's learning rate.
        kl_weight: weight of the divergence.

    Returns:
        Codes ``[n_agents, latent_dim]``.
    """
    encoder = _mlp(n_agents, WIDTH, 2 * latent_dim)
    n_given, n_followed = transitions.given.shape[1], transitions.followed.shape[1]
    decoder = _mlp(latent_dim + n_given, WIDTH, WIDTH, n_followed)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr)
    ids = torch.eye(n_agents)
    for _ in range(epochs):
        for rows in torch.randperm(len(transitions.agent)).split(batch_size):
            mean, log_variance = encoder(ids)[transitions.agent[rows]].chunk(2, -1)
            code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            predicted = decoder(torch.cat([code, transitions.given[rows]], -1))
            error = (predicted - transitions.followed[rows]).square().sum()
            divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
            adam.zero_grad()
            (error + kl_weight * divergence).backward()
            adam.step()
    with torch.no_grad():
        return encoder(ids).chunk(2, -1)[0]


def clusters(codes: Tensor, k: int | None, max_k: int, seed: int) -> Tensor:
    """Return the cluster of each code, found by k-means.

    Args:
        codes: a code per agent, ``[n, features]``.
        k: number of clusters; None for the one of 2 to ``min(n - 1, max_k)`` whose Davies-Bouldin
            index is smallest.
        max_k: largest number of clusters to try; it has no effect if ``k`` is given.
        seed: random seed of k-means.

    Returns:
        Index of the cluster of each code, ``[n]``.
    """
    if k is not None:
        return _k_means(codes, k, seed)
    from sklearn.metrics import davies_bouldin_score

    found = [_k_means(codes, k, seed) for k in range(2, min(len(codes) - 1, max_k) + 1)]
    return min(found, key=lambda labels: davies_bouldin_score(codes.numpy(), labels.numpy()))


def _k_means(codes: Tensor, k: int, seed: int) -> Tensor:
    from sklearn.cluster import KMeans

    means = KMeans(k, init="k-means++", n_init=10, random_state=seed)
    return torch.from_numpy(means.fit_predict(codes.numpy())).long()


def _mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
