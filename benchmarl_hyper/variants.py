"""The variants: one model class per way of sharing, and its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarl_hyper.generators import Head, Hypernetwork, IdRows, Rows, Table
from benchmarl_hyper.initialisation import LayerSpec
from benchmarl_hyper.models import GeneratedMlp, GeneratedMlpConfig, check_sizes


class Fups(GeneratedMlp):
    """Full parameter sharing: one network for all agents, without an id."""

    one_network = True

    def __init__(self, **kwargs: Any):
        super().__init__(lambda n, specs: Table(Rows(1, spec) for spec in specs), **kwargs)


@dataclass(kw_only=True)
class FupsConfig(GeneratedMlpConfig):
    """Configuration of :class:`Fups`."""

    @staticmethod
    def associated_class() -> type[Fups]:
        """The model."""
        return Fups


class FupsId(GeneratedMlp):
    """Full parameter sharing with a one-hot agent id next to the observation (FuPS+ID).

    Args:
        use_observation: with False the network sees the id alone ("no state" in HyperMARL).
        **kwargs: see :class:`GeneratedMlp`.
    """

    def __init__(self, use_observation: bool, **kwargs: Any):
        def make_generator(n_agents: int, specs: Sequence[LayerSpec]) -> Table:
            first, *others = specs
            return Table([IdRows(n_agents, first, use_observation), *(Rows(1, s) for s in others)])

        super().__init__(make_generator, **kwargs)


@dataclass(kw_only=True)
class FupsIdConfig(GeneratedMlpConfig):
    """Configuration of :class:`FupsId`."""

    use_observation: bool

    @staticmethod
    def associated_class() -> type[FupsId]:
        """The model."""
        return FupsId


class Nops(GeneratedMlp):
    """No parameter sharing: one network per agent."""

    def __init__(self, **kwargs: Any):
        super().__init__(lambda n, specs: Table(Rows(n, spec) for spec in specs), **kwargs)


@dataclass(kw_only=True)
class NopsConfig(GeneratedMlpConfig):
    """Configuration of :class:`Nops`."""

    @staticmethod
    def associated_class() -> type[Nops]:
        """The model."""
        return Nops


class HypermarlLinear(GeneratedMlp):
    """HyperMARL's linear hypernetwork on one-hot ids (arXiv 2412.04233).

    The product with a one-hot id selects a row, so it is not computed.

    Args:
        bias: whether heads have offsets, which all agents share; without them this is NoPS.
        **kwargs: see :class:`GeneratedMlp`.
    """

    def __init__(self, bias: bool, **kwargs: Any):
        super().__init__(lambda n, specs: Table(Head(n, spec, bias) for spec in specs), **kwargs)


@dataclass(kw_only=True)
class HypermarlLinearConfig(GeneratedMlpConfig):
    """Configuration of :class:`HypermarlLinear`."""

    bias: bool

    @staticmethod
    def associated_class() -> type[HypermarlLinear]:
        """The model."""
        return HypermarlLinear


class HypermarlMlp(GeneratedMlp):
    """HyperMARL's MLP hypernetwork on agent embeddings (arXiv 2412.04233).

    Args:
        embedding_dim: length of a learned embedding; None for one-hot ids.
        hypernet_cells: hidden sizes of the hypernetwork's trunks.
        bias: whether heads have offsets.
        **kwargs: see :class:`GeneratedMlp`.
    """

    def __init__(
        self, embedding_dim: int | None, hypernet_cells: Sequence[int], bias: bool, **kwargs: Any
    ):
        super().__init__(
            partial(
                Hypernetwork, embedding_dim=embedding_dim, hypernet_cells=hypernet_cells, bias=bias
            ),
            **kwargs,
        )


@dataclass(kw_only=True)
class HypermarlMlpConfig(GeneratedMlpConfig):
    """Configuration of :class:`HypermarlMlp`.

    Raises:
        ValueError: for sizes that are not positive.
    """

    embedding_dim: int | None
    hypernet_cells: Sequence[int]
    bias: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("hypernet_cells", self.hypernet_cells)
        if self.embedding_dim is not None and self.embedding_dim < 1:
            raise ValueError(
                f"embedding_dim must be positive, or null for one-hot, got {self.embedding_dim}"
            )

    @staticmethod
    def associated_class() -> type[HypermarlMlp]:
        """The model."""
        return HypermarlMlp


CONFIGS: tuple[type[GeneratedMlpConfig], ...] = (
    FupsConfig,
    FupsIdConfig,
    NopsConfig,
    HypermarlLinearConfig,
    HypermarlMlpConfig,
)
