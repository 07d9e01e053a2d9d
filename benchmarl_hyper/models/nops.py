"""No parameter sharing (NoPS): one network per agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarl_hyper.models.common.generated_mlp import (
    GeneratedMlp,
    GeneratedMlpConfig,
)
from benchmarl_hyper.models.common.recurrent import Recurrent, RecurrentConfig
from benchmarl_hyper.weights.rows import Rows, Table


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


class NopsGru(Recurrent, Nops):
    """Nothing is shared: an encoder, a GRU and a network per agent."""

    own_memory = True


@dataclass(kw_only=True)
class NopsGruConfig(RecurrentConfig, NopsConfig):
    """Configuration of :class:`NopsGru`."""

    @staticmethod
    def associated_class() -> type[NopsGru]:
        """The model."""
        return NopsGru
