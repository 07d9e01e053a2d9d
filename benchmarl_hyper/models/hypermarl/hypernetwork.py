"""Hypernetworks: generators that map agent embeddings to the weights of target networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmarl_hyper.weights.embedding import AgentEmbedding
from benchmarl_hyper.weights.initialisation import LayerSpec, lecun_normal_, zero_
from benchmarl_hyper.weights.layers import Layer, target_mlp
from benchmarl_hyper.weights.rows import Rows, Table


class Head(nn.Module):
    """Linear map from the agents' codes to the weights and biases of one target layer.

    ``w_i = a_i P + p`` and ``b_i = a'_i C + c`` (HyperMARL, arXiv 2412.04233). The offsets ``p``
    and ``c`` start at zero.

    Args:
        n_codes: length of a code.
        spec: the target layer; each row of ``P`` and ``C`` is initialised like one such layer.
        bias: whether there are offsets.
    """

    def __init__(self, n_codes: int, spec: LayerSpec, bias: bool):
        super().__init__()
        self.rows = Rows(n_codes, spec)
        self.offset = Rows(1, spec._replace(initialise=zero_)) if bias else None

    def forward(self, weight_code: Tensor | None = None, bias_code: Tensor | None = None) -> Layer:
        """Return the layer that is written from the agents' codes.

        Args:
            weight_code: codes of the weights, ``[n_agents, n_codes]``; None for one-hot codes.
            bias_code: codes of the biases, ``[n_agents, n_codes]``; None for one-hot codes.

        Returns:
            Weight ``[n_agents, in, out]`` and bias ``[n_agents, 1, out]``.
        """
        weight, bias = self.rows()
        weight_offset, bias_offset = self.offset() if self.offset is not None else (None, None)
        return Layer(
            _combine(weight_code, weight, weight_offset), _combine(bias_code, bias, bias_offset)
        )


def _combine(code: Tensor | None, rows: Tensor, offset: Tensor | None) -> Tensor:
    if code is None:
        return rows if offset is None else rows + offset
    flat = rows.flatten(1)
    made = code @ flat if offset is None else torch.addmm(offset.flatten(1), code, flat)
    return made.view(-1, *rows.shape[1:])


class Codes(nn.Module):
    """Learned or one-hot embeddings, and MLP trunks that map them to codes of length ``n_codes``.

    A trunk is ``a = relu(... relu(e_i K_1 + k_1) ...)`` (HyperMARL, arXiv 2412.04233, and its
    public code).

    Args:
        n_agents: number of agents.
        n_trunks: number of trunks, all of which read the same embeddings.
        embedding_dim: length of a learned embedding; None for one-hot embeddings.
        hypernet_cells: hidden sizes of a trunk; if empty, the embedding is the code.
        code_norm: ``"unit"`` divides every code by its length, so that generated weights have the
            scale of a head's rows, whatever the sizes; None leaves codes as they are.
        n_observed: length of the observation that trunks read in front of the embedding; 0 if they
            read none.
    """

    def __init__(
        self,
        n_agents: int,
        n_trunks: int,
        embedding_dim: int | None,
        hypernet_cells: Sequence[int],
        code_norm: str | None,
        n_observed: int = 0,
    ):
        super().__init__()
        self.embedding = AgentEmbedding(n_agents, embedding_dim)
        sizes = [n_observed + self.embedding.dim, *hypernet_cells]
        self.trunks = Table(
            Rows(n_trunks, LayerSpec(i, o, lecun_normal_)) for i, o in pairwise(sizes)
        )
        self.n_trunks, self.n_codes, self.code_norm = n_trunks, sizes[-1], code_norm

    def codes(self, observations: Tensor | None = None) -> Tensor:
        """Return the codes, ``[n_trunks, n_agents, n_codes]``.

        Args:
            observations: ``[samples, n_agents, n_observed]``, if trunks read observations. Then
                each trunk has ``samples * n_agents`` codes, first those of the first sample.
        """
        code = self.embedding()
        if observations is not None:
            code = code.expand(len(observations), -1, -1)
            code = torch.cat([observations, code], dim=-1).flatten(0, 1)
        code = code.unsqueeze(0)
        if len(self.trunks):
            code = torch.relu(target_mlp(code, self.trunks(), torch.relu))
        if self.code_norm == "unit":
            code = nn.functional.normalize(code, dim=-1)
        return code if len(code) == self.n_trunks else code.expand(self.n_trunks, -1, -1)


class Hypernetwork(Codes):
    """A hypernetwork with one MLP trunk per generated tensor, and linear heads.

    Args:
        n_agents: number of agents.
        specs: the target layers.
        bias: whether heads have offsets.
        **codes: the other arguments of :class:`Codes`.
    """

    def __init__(self, n_agents: int, specs: Sequence[LayerSpec], bias: bool, **codes: Any):
        super().__init__(n_agents, 2 * len(specs), **codes)
        self.heads = nn.ModuleList(Head(self.n_codes, spec, bias) for spec in specs)

    def forward(self, observations: Tensor | None = None) -> list[Layer]:
        """Return weights ``[n_agents, in, out]`` and biases ``[n_agents, 1, out]`` of each layer.

        With observations, every sample has as many; see :meth:`Codes.codes`.
        """
        codes = self.codes(observations).unbind(0)
        n = len(self.heads)  # first the codes of all weights, then those of all biases
        return [
            head(weight_code, bias_code)
            for head, weight_code, bias_code in zip(self.heads, codes[:n], codes[n:], strict=True)
        ]
