"""Weight generators: each writes the weights of every agent's target MLP.

A generator is a module without inputs that returns one :class:`Layer` per target layer; but for
the hypernetwork of an ablation, which reads observations. All its parameters live in :class:`Rows`
and :class:`AgentEmbedding`, which redraw themselves in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmarl_hyper.weights.embedding import AgentEmbedding
from benchmarl_hyper.weights.initialisation import LayerSpec, lecun_normal_, zero_
from benchmarl_hyper.weights.layers import Layer, target_mlp


class Rows(nn.Module):
    """The weights and biases of one linear layer in rows: a row per network or per code unit.

    One row is full parameter sharing (FuPS), one row per agent is none (NoPS).

    Args:
        n_rows: number of rows.
        spec: the layer.
    """

    def __init__(self, n_rows: int, spec: LayerSpec):
        super().__init__()
        self.initialise = spec.initialise
        self.weight = nn.Parameter(torch.empty(n_rows, spec.in_features, spec.out_features))
        self.bias = nn.Parameter(torch.empty(n_rows, spec.out_features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all rows anew, in place."""
        self.initialise(self.weight, self.bias)

    def forward(self) -> Layer:
        """All rows: weight ``[rows, in, out]`` and bias ``[rows, out]``."""
        return Layer(self.weight, self.bias)


class IdRows(Rows):
    """One shared layer on ``[observation, one-hot id]`` (FuPS+ID).

    The product with the one-hot id is a row of the weight: a bias of the agent's own.

    Args:
        n_agents: length of the id.
        spec: the layer on the observation alone.
        use_observation: with False the layer reads the id only.
    """

    def __init__(self, n_agents: int, spec: LayerSpec, use_observation: bool):
        n_observed = spec.in_features if use_observation else 0
        super().__init__(1, spec._replace(in_features=n_observed + n_agents))
        self.n_observed = n_observed
        self.in_features = spec.in_features

    def forward(self) -> Layer:
        """One weight ``[1, in, out]`` for everybody and a bias ``[n_agents, out]`` for each."""
        bias = self.bias + self.weight[0, self.n_observed :]
        if self.n_observed:
            return Layer(self.weight[:, : self.n_observed], bias)
        return Layer(bias.new_zeros(1, self.in_features, bias.shape[-1]), bias)


class Head(nn.Module):
    """Linear map from the agents' codes to the weights of one target layer.

    ``w_i = a_i P + p`` and ``b_i = a'_i C + c`` (HyperMARL, arXiv 2412.04233), with the
    offsets ``p`` and ``c`` starting at zero.

    Args:
        n_codes: length of a code.
        spec: the target layer; every row of ``P`` and ``C`` is drawn like one such layer.
        bias: whether there are offsets.
    """

    def __init__(self, n_codes: int, spec: LayerSpec, bias: bool):
        super().__init__()
        self.rows = Rows(n_codes, spec)
        self.offset = Rows(1, spec._replace(initialise=zero_)) if bias else None

    def forward(self, weight_code: Tensor | None = None, bias_code: Tensor | None = None) -> Layer:
        """Weights for codes ``[n_agents, n_codes]``; no codes stand for one-hot ones."""
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


class Table(nn.ModuleList):
    """Target layers that need no input: :class:`Rows`, :class:`IdRows` or :class:`Head`."""

    def forward(self) -> list[Layer]:
        """The layers, first layer first."""
        return [layer() for layer in self]


class Codes(nn.Module):
    """Learned or one-hot embeddings, and MLP trunks that turn them into codes, ``n_codes`` long.

    ``a = relu(... relu(e_i K_1 + k_1) ...)`` (HyperMARL, arXiv 2412.04233, and its public code).

    Args:
        n_agents: number of agents.
        n_trunks: number of trunks, all of which read the same embeddings.
        embedding_dim: length of a learned embedding; None for one-hot.
        hypernet_cells: hidden sizes of a trunk; with none, the embedding is the code.
        code_norm: "unit" divides every code by its length, so that what it generates has the scale
            of a head's rows, whatever the sizes; None leaves codes as they are.
        n_observed: length of an observation that trunks read in front of the embedding.
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
        """The codes ``[n_trunks, n_agents, n_codes]``.

        Args:
            observations: ``[samples, n_agents, n_observed]``, where trunks read any. Then there
                are ``samples * n_agents`` codes per trunk, those of a sample's agents together.
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
    """One MLP trunk per generated tensor, and linear heads.

    Args:
        n_agents: number of agents.
        specs: the target layers.
        bias: whether heads have offsets.
        **codes: see :class:`Codes`.
    """

    def __init__(self, n_agents: int, specs: Sequence[LayerSpec], bias: bool, **codes: Any):
        super().__init__(n_agents, 2 * len(specs), **codes)
        self.heads = nn.ModuleList(Head(self.n_codes, spec, bias) for spec in specs)

    def forward(self, observations: Tensor | None = None) -> list[Layer]:
        """Weights ``[n_agents, in, out]`` and biases ``[n_agents, out]``, first layer first.

        With observations there are as many per sample; see :meth:`Codes.codes`.
        """
        codes = self.codes(observations).unbind(0)
        n = len(self.heads)  # first the codes of all weights, then those of all biases
        return [
            head(weight_code, bias_code)
            for head, weight_code, bias_code in zip(self.heads, codes[:n], codes[n:], strict=True)
        ]
