"""Hypernetworks: generators that map agent embeddings to the weights of target networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarl_hyper.models.hypermarl.step_norm import (
    TRUNK_STEP,
    Steps,
    own_step_of,
    say_nothing_to_norm,
)
from benchmarl_hyper.weights.embedding import AgentEmbedding
from benchmarl_hyper.weights.initialisation import LayerSpec, lecun_normal_, zero_
from benchmarl_hyper.weights.layers import Layer, target_mlp
from benchmarl_hyper.weights.rows import Rows, Table, redraw


class Head(nn.Module):
    """Linear map from the agents' codes to the weights and biases of one target layer.

    ``w_i = a_i P + p`` and ``b_i = a'_i C + c`` (HyperMARL, arXiv 2412.04233). The offsets ``p``
    and ``c`` start at zero.

    Args:
        n_codes: length of a code.
        spec: the target layer; each row of ``P`` and ``C`` is initialised like one such layer.
        bias: whether there are offsets.
        steps: the steps of what is written; None for those of the published models. Offsets and
            rows then start as :meth:`start` says.
    """

    def __init__(self, n_codes: int, spec: LayerSpec, bias: bool, steps: Steps | None = None):
        super().__init__()
        self.rows = Rows(n_codes, spec)
        common = 1.0 if steps is None else steps.common
        self.offset = Rows(1, spec._replace(initialise=zero_), common) if bias else None

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

    @torch.no_grad()
    def start(self, weight: Centred, bias: Centred) -> None:
        """Take over what has been drawn for codes that are not centred, in place.

        Args:
            weight: the centred codes of the weights.
            bias: those of the biases.
        """
        assert self.offset is not None
        for name, (_, centre, scale) in (("weight", weight), ("bias", bias)):
            rows, offset = getattr(self.rows, name), getattr(self.offset, name)
            offset.add_(_combine(centre, rows, None) / self.offset.multiplier)
            rows.div_(scale.view(-1, *[1] * (rows.dim() - 1)))


def _combine(code: Tensor | None, rows: Tensor, offset: Tensor | None) -> Tensor:
    if code is None:
        return rows if offset is None else rows + offset
    flat = rows.flatten(1)
    made = code @ flat if offset is None else torch.addmm(offset.flatten(1), code, flat)
    return made.view(-1, *rows.shape[1:])


class Centred(NamedTuple):
    """Codes that are centred over agents and scaled, and how.

    Attributes:
        codes: ``[..., n_agents, n_codes]``.
        centre: what was subtracted, ``[..., 1, n_codes]``.
        scale: what the difference was multiplied by, ``[..., 1, 1]``.
    """

    codes: Tensor
    centre: Tensor
    scale: Tensor


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
        has_embedding: whether trunks read embeddings; without them, they read observations alone.
        steps: the steps of generated weights; None for those of the published models. With steps,
            codes are centred over agents and scaled, and trunks and embeddings have multipliers.
    """

    team: Tensor

    def __init__(
        self,
        n_agents: int,
        n_trunks: int,
        embedding_dim: int | None,
        hypernet_cells: Sequence[int],
        code_norm: str | None,
        n_observed: int = 0,
        has_embedding: bool = True,
        steps: Steps | None = None,
    ):
        super().__init__()
        self.steps = steps
        if steps:
            # 1 for the agents whose mean code is the centre, 0 for those that joined after training
            self.register_buffer("team", torch.ones(n_agents, 1))
            if n_agents == 1:
                say_nothing_to_norm()
        n_embedded = (embedding_dim or n_agents) if has_embedding else 0
        sizes = [n_observed + n_embedded, *hypernet_cells]
        length = 1.0 if code_norm else max(1.0, (sizes[-1] / sizes[0]) ** 0.5)  # of a code

        def multiplier(n_inputs: int) -> float:
            return TRUNK_STEP * steps.own / (length * n_inputs) if steps else 1.0

        self.embedding: AgentEmbedding | None = None
        if has_embedding:
            self.embedding = AgentEmbedding(n_agents, embedding_dim, multiplier(sizes[0]))
        self.trunks = Table(
            Rows(n_trunks, LayerSpec(i, o, lecun_normal_), multiplier(i))
            for i, o in pairwise(sizes)
        )
        self.n_trunks, self.n_codes, self.code_norm = n_trunks, sizes[-1], code_norm

    def codes(self, observations: Tensor | None = None) -> Tensor:
        """Return the codes, ``[n_trunks, n_agents, n_codes]``.

        Args:
            observations: ``[samples, n_agents, n_observed]``, if trunks read observations. Then
                each trunk has ``samples * n_agents`` codes, first those of the first sample.
        """
        code = self._read(observations).unsqueeze(0)
        if len(self.trunks):
            code = torch.relu(target_mlp(code, self.trunks(), torch.relu))
        if self.code_norm == "unit":
            code = nn.functional.normalize(code, dim=-1)
        return code if len(code) == self.n_trunks else code.expand(self.n_trunks, -1, -1)

    def _read(self, observations: Tensor | None) -> Tensor:
        """Return what trunks read, ``[samples * n_agents, features]``."""
        if self.embedding is None:
            assert observations is not None
            return observations.flatten(0, 1)
        code = self.embedding()
        if observations is None:
            return code
        code = code.expand(len(observations), -1, -1)
        return torch.cat([observations, code], dim=-1).flatten(0, 1)

    def centred(self) -> Centred:
        """Return codes less their mean over agents, scaled to the own step that is asked for."""
        assert self.steps is not None
        codes, n_trained = self.codes(), self.team.sum()
        centre = (codes * self.team).sum(-2, keepdim=True) / n_trained
        deviations = codes - centre
        of_all = own_step_of(deviations * self.team)
        scale = self.steps.own / (of_all * (len(self.team) / n_trained).sqrt())
        return Centred(deviations * scale, centre, scale)


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
        self.heads = nn.ModuleList(Head(self.n_codes, spec, bias, self.steps) for spec in specs)
        self._start()

    def reset_parameters(self) -> None:
        """Draw a new initialisation of all parts, in place."""
        for part in self.children():
            redraw(part)
        self._start()

    def _start(self) -> None:
        """Let heads write with centred codes what they would have written with codes as drawn."""
        if self.steps is None:
            return
        n = len(self.heads)
        parts = [Centred(*x) for x in zip(*(x.unbind(0) for x in self.centred()), strict=True)]
        for module, weight, bias in zip(self.heads, parts[:n], parts[n:], strict=True):
            head: Any = module
            head.start(weight, bias)

    def forward(self, observations: Tensor | None = None) -> list[Layer]:
        """Return weights ``[n_agents, in, out]`` and biases ``[n_agents, 1, out]`` of each layer.

        With observations, every sample has as many; see :meth:`Codes.codes`.
        """
        codes = (self.centred().codes if self.steps else self.codes(observations)).unbind(0)
        n = len(self.heads)  # first the codes of all weights, then those of all biases
        return [
            head(weight_code, bias_code)
            for head, weight_code, bias_code in zip(self.heads, codes[:n], codes[n:], strict=True)
        ]
