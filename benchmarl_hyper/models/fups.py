"""Full parameter sharing (FuPS): one network for all agents, with an id in its input or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarl_hyper.models.common.generated_mlp import (
    GeneratedMlp,
    GeneratedMlpConfig,
)
from benchmarl_hyper.models.common.recurrent import Recurrent, RecurrentConfig
from benchmarl_hyper.weights.initialisation import (
    LayerSpec,
)
from benchmarl_hyper.weights.rows import IdRows, Rows, Table


class Fups(GeneratedMlp):
    """Full parameter sharing: one network for all agents, without an id."""

    agents_alike = True

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


class FupsGru(Recurrent, Fups):
    """BenchMARL's shared ``gru``, behind an encoder: everything is shared, and there is no id."""


@dataclass(kw_only=True)
class FupsGruConfig(RecurrentConfig, FupsConfig):
    """Configuration of :class:`FupsGru`."""

    @staticmethod
    def associated_class() -> type[FupsGru]:
        """The model."""
        return FupsGru


class FupsIdGru(Recurrent, Fups):
    """Everything is shared, and the encoder reads a one-hot agent id next to the observation."""

    agents_alike = False
    id_at_input = True

    def _make_encoder(self, specs: Sequence[LayerSpec]) -> Table:
        first, *others = specs
        with_id = IdRows(self.n_agents, first, use_observation=True)
        return Table([with_id, *super()._make_encoder(others)])


@dataclass(kw_only=True)
class FupsIdGruConfig(RecurrentConfig, FupsConfig):
    """Configuration of :class:`FupsIdGru`.

    Raises:
        ValueError: without an encoder, which reads the id.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.encoder_cells:
            raise ValueError(
                "encoder_cells of fups_id_gru must not be empty, since the encoder reads the id; "
                "give it a layer, for example encoder_cells=[128]"
            )

    @staticmethod
    def associated_class() -> type[FupsIdGru]:
        """The model."""
        return FupsIdGru
