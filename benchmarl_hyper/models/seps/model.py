"""SePS (arXiv 2102.07475): agents of one cluster share a network; clusters share nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from benchmarl_hyper.models.common.generated_mlp import (
    GeneratedMlp,
    GeneratedMlpConfig,
    check_sizes,
)
from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.layers import Layer
from benchmarl_hyper.weights.rows import Rows, Table

MAX_NETWORKS = 10  # if the number is not given, as in the authors' code


class ClusteredTable(Table):
    """A table with a row per cluster, of which each agent reads the row of its cluster.

    Args:
        n_agents: number of agents.
        specs: the target layers.
        n_networks: number of rows.
        cluster: index of each agent's row, ``[n_agents]``; a buffer, to be written in place.
    """

    cluster: Tensor

    def __init__(self, n_agents: int, specs: Sequence[LayerSpec], n_networks: int, cluster: Tensor):
        super().__init__(Rows(n_networks, spec) for spec in specs)
        self.register_buffer("cluster", cluster)

    def forward(self) -> list[Layer]:
        """Return the layers with a row per agent, first layer first."""
        return [
            Layer(weight[self.cluster], bias[self.cluster]) for weight, bias in super().forward()
        ]


class Seps(GeneratedMlp):
    """Selective parameter sharing: one network per cluster of agents.

    Without ``groups``, all agents are in cluster 0 until ``generator.cluster`` is written, as
    :class:`~benchmarl_hyper.models.seps.callback.SepsCallback` does.

    Args:
        n_networks: number of networks, at most one per agent; None for as many as ``groups`` has
            or, without ``groups``, as many as the clustering finds, at most 10.
        groups: the clusters, as lists of agents' indices; None to leave them to the callback.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.

    Raises:
        ValueError: if ``groups`` does not contain every agent exactly once.
    """

    generator: ClusteredTable

    def __init__(
        self, n_networks: int | None, groups: Sequence[Sequence[int]] | None, **kwargs: Any
    ):
        n_agents = kwargs["n_agents"]
        if groups is None:
            rows = min(n_networks or MAX_NETWORKS, n_agents)
            cluster = torch.zeros(n_agents, dtype=torch.long)
        else:
            rows, cluster = len(groups), cluster_of(groups, n_agents, kwargs["agent_group"])
        super().__init__(partial(ClusteredTable, n_networks=rows, cluster=cluster), **kwargs)
        self.groups, self.n_networks = groups, rows
        self.k = None if n_networks is None else rows  # number of clusters; None: chosen with them


@dataclass(kw_only=True)
class SepsConfig(GeneratedMlpConfig):
    """Configuration of :class:`Seps`.

    Raises:
        ValueError: if ``n_networks`` is not positive, or is given together with ``groups``.
    """

    seeds_at_once: ClassVar[bool] = False

    n_networks: int | None
    groups: list[list[int]] | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_networks is None:
            return
        check_sizes("n_networks", [self.n_networks])
        if self.groups is not None:
            raise ValueError(
                f"n_networks={self.n_networks} has no effect beside groups={self.groups}, which "
                "has a network per group; set one of them to null"
            )

    @staticmethod
    def associated_class() -> type[Seps]:
        """Return :class:`Seps`, the model that this configuration builds."""
        return Seps


def cluster_of(groups: Sequence[Sequence[int]], n_agents: int, agent_group: str) -> Tensor:
    """Return the index of the group that each agent is in, ``[n_agents]``.

    Args:
        groups: lists of agents' indices.
        n_agents: number of agents.
        agent_group: name of the agents' group in BenchMARL, for the error.

    Raises:
        ValueError: unless every agent is in exactly one group, and no group is empty.
    """
    listed = sorted(agent for group in groups for agent in group)
    if listed != list(range(n_agents)) or not all(groups):
        raise ValueError(
            f"groups={[list(group) for group in groups]} must list each of the {n_agents} agents "
            f"of group '{agent_group}', 0 to {n_agents - 1}, exactly once, with no empty group"
        )
    cluster = torch.empty(n_agents, dtype=torch.long)
    for index, group in enumerate(groups):
        cluster[list(group)] = index
    return cluster
