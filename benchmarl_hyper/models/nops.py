"""No parameter sharing (NoPS): one network per agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp, GeneratedMlpConfig
from benchmarl_hyper.models.common.recurrent import Recurrent, RecurrentConfig
from benchmarl_hyper.weights.rows import Rows, Table


class Nops(GeneratedMlp):
    """No parameter sharing: one network per agent.

    Args:
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(lambda n, specs: Table(Rows(n, spec) for spec in specs), **kwargs)


@dataclass(kw_only=True)
class NopsConfig(GeneratedMlpConfig):
    """Configuration of :class:`Nops`."""

    @staticmethod
    def associated_class() -> type[Nops]:
        """Return :class:`Nops`, the model that this configuration builds."""
        return Nops


class NopsGru(Recurrent, Nops):
    """Recurrent NoPS: each agent has its own encoder, GRU and network."""

    own_memory = True


@dataclass(kw_only=True)
class NopsGruConfig(RecurrentConfig, NopsConfig):
    """Configuration of :class:`NopsGru`."""

    @staticmethod
    def associated_class() -> type[NopsGru]:
        """Return :class:`NopsGru`, the model that this configuration builds."""
        return NopsGru
