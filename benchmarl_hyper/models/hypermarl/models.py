"""HyperMARL's models (arXiv 2412.04233): a hypernetwork writes each agent's target network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor, nn

from benchmarl_hyper.models.common.capability import Capability
from benchmarl_hyper.models.common.generated_mlp import (
    GeneratedMlp,
    GeneratedMlpConfig,
    check_sizes,
)
from benchmarl_hyper.models.common.per_sample import PerSample
from benchmarl_hyper.models.common.recurrent import Recurrent, RecurrentConfig
from benchmarl_hyper.models.hypermarl.codes import CAPABILITY, EMBEDDING, CodesConfig
from benchmarl_hyper.models.hypermarl.hypernetwork import Head, Hypernetwork
from benchmarl_hyper.models.hypermarl.lowrank import LowRankHypernetwork
from benchmarl_hyper.models.hypermarl.step_norm import StepsConfig, chosen_steps
from benchmarl_hyper.running.rollout_cache import once
from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.layers import target_mlp
from benchmarl_hyper.weights.rows import Table

# The codes of a linear hypernetwork
ONE_HOT: dict[str, Any] = {"embedding_dim": None, "hypernet_cells": (), "code_norm": None}


class HypermarlLinear(GeneratedMlp):
    """HyperMARL's linear hypernetwork on one-hot ids (arXiv 2412.04233).

    The product with a one-hot id selects a row, so it is not computed, unless codes are centred.

    Args:
        bias: whether heads have offsets, which all agents share; without them the model is NoPS.
        step_norm: ``"unit"`` for chosen steps (``docs/methods/hypermarl.md``), None for steps as
            published.
        common_step: the common step, in learning rates; None for 1.
        own_step: the own step, in learning rates; None for 0.35.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    def __init__(
        self,
        bias: bool,
        step_norm: str | None,
        common_step: float | None,
        own_step: float | None,
        **kwargs: Any,
    ):
        steps = chosen_steps(step_norm, common_step, own_step)

        def make_generator(n_agents: int, specs: Sequence[LayerSpec]) -> nn.Module:
            if steps is None:
                return Table(Head(n_agents, spec, bias) for spec in specs)
            return Hypernetwork(n_agents, specs, bias, **ONE_HOT, steps=steps)

        super().__init__(make_generator, **kwargs)


@dataclass(kw_only=True)
class HypermarlLinearConfig(StepsConfig, GeneratedMlpConfig):
    """Configuration of :class:`HypermarlLinear`."""

    bias: bool

    @staticmethod
    def associated_class() -> type[HypermarlLinear]:
        """Return :class:`HypermarlLinear`, the model that this configuration builds."""
        return HypermarlLinear


@dataclass(kw_only=True)
class HypernetworkConfig(GeneratedMlpConfig):
    """The configuration that models with hypernetworks on embeddings have in common.

    Raises:
        ValueError: if a size is not positive, or if ``code_norm`` is unknown.
    """

    embedding_dim: int | None
    hypernet_cells: Sequence[int]
    code_norm: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("hypernet_cells", self.hypernet_cells)
        if self.embedding_dim is not None and self.embedding_dim < 1:
            raise ValueError(
                f"embedding_dim must be positive, or null for one-hot, got {self.embedding_dim}"
            )
        if self.code_norm not in (None, "unit"):
            raise ValueError(f"code_norm must be unit, or null for none, got {self.code_norm!r}")


class HypermarlMlp(PerSample):
    """HyperMARL's MLP hypernetwork on agent embeddings (arXiv 2412.04233), or on capabilities.

    Args:
        embedding_dim: length of a learned embedding; None for one-hot ids.
        hypernet_cells: hidden sizes of the hypernetwork's trunks.
        code_norm: ``"unit"`` to divide codes by their length; None to leave them as published.
        bias: whether heads have offsets, which all agents share.
        step_norm: ``"unit"`` for chosen steps, None for steps as published.
        common_step: the common step, in learning rates; None for 1.
        own_step: the own step, in learning rates; None for 0.35.
        codes: what trunks read: ``"embedding"``, ``"capability"``, or ``"both"``. With
            capabilities, every sample has weights of its own.
        capability_keys: entries that describe an agent; see
            :class:`~benchmarl_hyper.models.common.capability.Capability`.
        capability_indices: places of the features in these entries; None for all.
        max_bytes: largest size of the weights that one call may generate for samples, in bytes.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    def __init__(
        self,
        embedding_dim: int | None,
        hypernet_cells: Sequence[int],
        code_norm: str | None,
        bias: bool,
        step_norm: str | None = None,
        common_step: float | None = None,
        own_step: float | None = None,
        codes: str = EMBEDDING,
        capability_keys: Sequence[str] = (),
        capability_indices: Sequence[int] | None = None,
        max_bytes: int = 2**31,
        **kwargs: Any,
    ):
        self.generates_alone, self.max_bytes = codes == EMBEDDING, max_bytes
        capability = None
        if not self.generates_alone:
            capability = Capability(capability_keys, capability_indices, kwargs)
        make_generator = partial(
            self._hypernetwork,
            embedding_dim=embedding_dim,
            hypernet_cells=hypernet_cells,
            code_norm=code_norm,
            bias=bias,
            n_observed=0 if capability is None else capability.size,
            has_embedding=codes != CAPABILITY,
            steps=chosen_steps(step_norm, common_step, own_step),
        )
        super().__init__(make_generator, **kwargs)
        self.capability = None if capability is None else capability.to(self.device)

    @staticmethod
    def _hypernetwork(n_agents: int, specs: Sequence[LayerSpec], **settings: Any) -> Hypernetwork:
        return Hypernetwork(n_agents, specs, **settings)

    def _generator_inputs(self, tensordict: TensorDictBase, x: Tensor) -> Tensor:
        if self.capability is None:
            return x
        return self.capability(tensordict).to(self.weight_dtype)


@dataclass(kw_only=True)
class _MlpConfig(StepsConfig, HypernetworkConfig):
    """The fields that feedforward and recurrent models have in common."""

    bias: bool


@dataclass(kw_only=True)
class HypermarlMlpConfig(CodesConfig, _MlpConfig):
    """Configuration of :class:`HypermarlMlp`."""

    @staticmethod
    def associated_class() -> type[HypermarlMlp]:
        """Return :class:`HypermarlMlp`, the model that this configuration builds."""
        return HypermarlMlp


class Hypermarl(HypermarlMlp):
    """HyperMARL's MLP hypernetwork with steps that fit the learning rate of other variants.

    It is :class:`HypermarlMlp` with ``step_norm: unit`` (``docs/methods/hypermarl.md``).
    """


@dataclass(kw_only=True)
class HypermarlConfig(HypermarlMlpConfig):
    """Configuration of :class:`Hypermarl`; its shipped values are what differs."""

    @staticmethod
    def associated_class() -> type[Hypermarl]:
        """Return :class:`Hypermarl`, the model that this configuration builds."""
        return Hypermarl


class HypermarlLowrank(GeneratedMlp):
    """HyperMARL with shared weights, to which a hypernetwork adds a low-rank product per agent.

    Args:
        embedding_dim: length of a learned embedding; None for one-hot ids.
        hypernet_cells: hidden sizes of the hypernetwork's trunk.
        code_norm: ``"unit"`` to divide codes by their length; None to leave them as they are.
        rank: rank of the products, reduced to the smaller side of smaller layers.
        step_norm: ``"unit"`` for chosen steps, None for steps as published.
        common_step: the common step, in learning rates; None for 1.
        own_step: the own step, in learning rates; None for 0.35.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    generator: LowRankHypernetwork

    def __init__(
        self,
        embedding_dim: int | None,
        hypernet_cells: Sequence[int],
        code_norm: str | None,
        rank: int,
        step_norm: str | None,
        common_step: float | None,
        own_step: float | None,
        **kwargs: Any,
    ):
        make_generator = partial(
            LowRankHypernetwork,
            embedding_dim=embedding_dim,
            hypernet_cells=hypernet_cells,
            code_norm=code_norm,
            rank=rank,
            steps=chosen_steps(step_norm, common_step, own_step),
        )
        super().__init__(make_generator, **kwargs)

    def _run_networks(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.size(1) > self.generator.few_rows:
            return super()._run_networks(x)
        return target_mlp(x, once(self.generator.factors, self.generator), self._activate)


@dataclass(kw_only=True)
class HypermarlLowrankConfig(StepsConfig, HypernetworkConfig):
    """Configuration of :class:`HypermarlLowrank`.

    Raises:
        ValueError: if ``rank`` is not positive.
    """

    rank: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("rank", [self.rank])

    @staticmethod
    def associated_class() -> type[HypermarlLowrank]:
        """Return :class:`HypermarlLowrank`, the model that this configuration builds."""
        return HypermarlLowrank


class HypermarlGru(Recurrent, HypermarlMlp):
    """Recurrent HyperMARL: a hypernetwork writes the target networks behind a shared GRU."""


@dataclass(kw_only=True)
class HypermarlGruConfig(RecurrentConfig, _MlpConfig):
    """Configuration of :class:`HypermarlGru`."""

    @staticmethod
    def associated_class() -> type[HypermarlGru]:
        """Return :class:`HypermarlGru`, the model that this configuration builds."""
        return HypermarlGru
