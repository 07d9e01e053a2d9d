"""A shared trunk with last layers of each agent's own, often called multi-task heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp, GeneratedMlpConfig
from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.rows import Rows, Table


class SharedTrunk(GeneratedMlp):
    """All layers are shared, except the last ones, which each agent has for itself.

    Without layers of their own, it is :class:`~benchmarl_hyper.models.fups.Fups`. With all layers
    their own, it is :class:`~benchmarl_hyper.models.nops.Nops`.

    Args:
        n_own_layers: number of layers, from the last, of which each agent has its own.
        **kwargs: the arguments of :class:`GeneratedMlp`, without ``make_generator``.
    """

    def __init__(self, n_own_layers: int, **kwargs: Any):
        def make_generator(n_agents: int, specs: Sequence[LayerSpec]) -> Table:
            n_shared = len(specs) - n_own_layers
            return Table(Rows(1 if i < n_shared else n_agents, s) for i, s in enumerate(specs))

        self.agents_alike = n_own_layers == 0  # before super(), which checks outputs
        super().__init__(make_generator, **kwargs)


@dataclass(kw_only=True)
class SharedTrunkConfig(GeneratedMlpConfig):
    """Configuration of :class:`SharedTrunk`.

    Raises:
        ValueError: if there are not as many layers as ``n_own_layers`` asks for.
    """

    n_own_layers: int

    def __post_init__(self) -> None:
        super().__post_init__()
        n_layers = len(self.num_cells) + 1
        if not 0 <= self.n_own_layers <= n_layers:
            raise ValueError(
                f"n_own_layers must be between 0 (as in fups) and {n_layers} (as in nops), since "
                f"num_cells={list(self.num_cells)} makes {n_layers} layer(s), got "
                f"{self.n_own_layers}"
            )

    @staticmethod
    def associated_class() -> type[SharedTrunk]:
        """Return :class:`SharedTrunk`, the model that this configuration builds."""
        return SharedTrunk
