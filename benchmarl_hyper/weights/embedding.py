"""Agent embeddings: one row per agent, fixed or learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarl_hyper.weights.initialisation import HIDDEN_GAIN


class AgentEmbedding(nn.Module):
    """Rows that tell a hypernetwork which agent it writes weights for, one per agent.

    Learned rows start orthogonal with gain sqrt(2) (HyperMARL's public code). One-hot rows are a
    buffer and not a frozen parameter: losses with ensembles refill their parameters, frozen or not.

    Args:
        n_agents: number of rows.
        dim: length of a row; None for one-hot rows, which are not learned.
        multiplier: factor of learned rows, which are drawn larger by its inverse; see
            :class:`~benchmarl_hyper.weights.rows.Rows`.
    """

    def __init__(self, n_agents: int, dim: int | None, multiplier: float = 1.0):
        super().__init__()
        if dim is None:
            self.register_buffer("table", torch.eye(n_agents))
        else:
            self.table = nn.Parameter(torch.empty(n_agents, dim))
        self.dim = n_agents if dim is None else dim
        self.learned, self.multiplier = dim is not None, multiplier
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Redraw learned rows, in place; one-hot rows stay as they are."""
        if self.learned:
            nn.init.orthogonal_(self.table, HIDDEN_GAIN / self.multiplier)

    def forward(self) -> Tensor:
        """Return the rows, ``[n_agents, dim]``."""
        return self.table * self.multiplier if self.learned else self.table
