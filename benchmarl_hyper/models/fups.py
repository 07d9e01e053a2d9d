"""Full parameter sharing (FuPS): one network for all agents, with or without an agent id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp, GeneratedMlpConfig
from benchmarl_hyper.models.common.recurrent import Recurrent, RecurrentConfig
from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.rows import IdRows, Rows, Table


class Fups(GeneratedMlp):
    """Full parameter sharing: one network for all agents, without an agent id.

    Args:
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    agents_alike = True

    def __init__(self, **kwargs: Any):
        super().__init__(lambda n, specs: Table(Rows(1, spec) for spec in specs), **kwargs)


@dataclass(kw_only=True)
class FupsConfig(GeneratedMlpConfig):
    """Configuration of :class:`Fups`."""

    @staticmethod
    def associated_class() -> type[Fups]:
        """Return :class:`Fups`, the model that this configuration builds."""
        return Fups


class FupsId(GeneratedMlp):
    """Full parameter sharing with a one-hot agent id next to the observation (FuPS+ID).

    Args:
        use_observation: whether the network reads the observation; if False, it reads the id alone
            ("no state" in HyperMARL).
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
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
        """Return :class:`FupsId`, the model that this configuration builds."""
        return FupsId


class FupsGru(Recurrent, Fups):
    """Recurrent FuPS: BenchMARL's shared ``gru`` behind an encoder, without an agent id."""


@dataclass(kw_only=True)
class FupsGruConfig(RecurrentConfig, FupsConfig):
    """Configuration of :class:`FupsGru`."""

    @staticmethod
    def associated_class() -> type[FupsGru]:
        """Return :class:`FupsGru`, the model that this configuration builds."""
        return FupsGru


class FupsIdGru(Recurrent, Fups):
    """Recurrent FuPS+ID: the encoder reads a one-hot agent id next to the observation."""

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
        ValueError: if there is no encoder, since it is the encoder that reads the id.
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
        """Return :class:`FupsIdGru`, the model that this configuration builds."""
        return FupsIdGru
