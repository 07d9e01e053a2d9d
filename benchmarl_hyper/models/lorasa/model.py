"""LoRASA (arXiv 2502.05573): one network, and a low-rank adapter of each agent for each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from benchmarl_hyper.models.common.generated_mlp import (
    GeneratedMlp,
    GeneratedMlpConfig,
    check_sizes,
)
from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.layers import Layer
from benchmarl_hyper.weights.rows import Rows, Table

TOGETHER, SHARED, ADAPTERS = "together", "shared", "adapters"


class Stage:
    """What of a model is trained now: both parts together, the shared network, or the adapters.

    A model and all of its copies hold one such object, so a collector that acts with a copy of the
    policy follows. The stage decides which parameters get gradients, and nothing else: adapters
    start at zero and stay there while the shared network is trained alone, so a checkpoint that is
    read without its stage gives the same networks.
    """

    def __init__(self) -> None:
        self.trained = TOGETHER

    def __deepcopy__(self, memo: dict) -> Stage:
        return self


class AdaptedRows(nn.Module):
    """One shared layer, and an adapter of each agent.

    ``W_i = W + (alpha / r) A_i B_i`` and ``b_i = b + d_i``. The factors that read the input, ``A``,
    start Kaiming-uniform as in LoRA (arXiv 2106.09685), ``B`` and ``d`` at zero.

    Args:
        n_agents: number of agents.
        spec: sizes and initialisation of the shared layer.
        rank: inner size ``r`` of the products.
        alpha: factor of the products, times the rank.
        stage: what is trained.
    """

    def __init__(self, n_agents: int, spec: LayerSpec, rank: int, alpha: float, stage: Stage):
        super().__init__()
        self.rows = Rows(1, spec)
        self.scale, self.stage = alpha / rank, stage
        self.left = nn.Parameter(torch.empty(n_agents, spec.in_features, rank))
        self.right = nn.Parameter(torch.empty(n_agents, rank, spec.out_features))
        self.bias = nn.Parameter(torch.empty(n_agents, spec.out_features))
        self._draw_adapters()

    def reset_parameters(self) -> None:
        """Redraw the shared layer and the adapters, in place."""
        self.rows.reset_parameters()
        self._draw_adapters()

    @torch.no_grad()
    def _draw_adapters(self) -> None:
        bound = self.left.shape[-2] ** -0.5
        self.left.uniform_(-bound, bound, generator=_aside(self.left.device))
        self.right.zero_()
        self.bias.zero_()

    def forward(self) -> Layer:
        """Return a layer per agent; in the stage of the shared network, its one row."""
        weight, bias = self.rows()
        if self.stage.trained == SHARED:
            return Layer(weight, bias)
        if self.stage.trained == ADAPTERS:
            weight, bias = weight.detach(), bias.detach()
        weight = weight.expand(len(self.left), -1, -1)
        own = torch.baddbmm(weight, self.left, self.right, alpha=self.scale)
        return Layer(own, bias + self.bias.unsqueeze(1))


def _aside(device: torch.device) -> torch.Generator:
    """Return a generator seeded by the global one, whose next numbers stay what they were.

    So a run starts with the weights that it has without adapters.
    """
    with torch.random.fork_rng(devices=[]):
        seed = int(torch.randint(2**62, ()))
    return torch.Generator(device).manual_seed(seed)


class Lorasa(GeneratedMlp):
    """A shared network with low-rank adapters of each agent.

    By itself, the model trains both together.
    :class:`~benchmarl_hyper.models.lorasa.callback.LorasaCallback` trains one after the other.

    Args:
        rank: rank of the adapters of every layer; above a layer's smaller side it adds nothing but
            parameters.
        alpha: factor of the adapters, times the rank.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    def __init__(self, rank: int, alpha: float, **kwargs: Any):
        stage = self.stage = Stage()  # before super(), which asks whether agents are alike
        super().__init__(
            lambda n, specs: Table(AdaptedRows(n, spec, rank, alpha, stage) for spec in specs),
            **kwargs,
        )

    @property
    def agents_alike(self) -> bool:  # type: ignore[override]
        """Whether all agents run the shared network."""
        return self.stage.trained == SHARED


@dataclass(kw_only=True)
class LorasaConfig(GeneratedMlpConfig):
    """Configuration of :class:`Lorasa`.

    Raises:
        ValueError: if ``rank`` or ``alpha`` is not positive.
    """

    seeds_at_once: ClassVar[bool] = False

    rank: int
    alpha: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("rank", [self.rank])
        if not self.alpha > 0:
            raise ValueError(
                f"alpha must be positive, got {self.alpha}; without adapters, use fups"
            )

    @staticmethod
    def associated_class() -> type[Lorasa]:
        """Return :class:`Lorasa`, the model that this configuration builds."""
        return Lorasa
