"""The two stages of LoRASA, during training."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from tensordict import TensorDictBase
from torch import nn

from benchmarl_hyper.models.common.method_callback import MethodCallback
from benchmarl_hyper.models.lorasa.model import ADAPTERS, SHARED, Lorasa, Stage


class LorasaCallback(MethodCallback):
    """Train the shared network of every ``lorasa`` model first, and then its adapters alone.

    The second stage begins between two iterations, so all agents collect and train in one stage. In
    the first stage, adapters get no gradient, and the run equals one with ``fups`` bit for bit. In
    the second stage, the shared network gets none, so Adam neither moves it nor updates its
    moments; the moments of the adapters begin at zero. Critics with adapters follow their group. A
    group of one agent stays in the first stage, since it has nothing to tell apart.

    Args:
        stage_two_at: fraction of the run's frames after which the second stage begins; None for one
            stage, in which both parts are trained together.

    Raises:
        ValueError: if ``stage_two_at`` is not between 0 and 1.
    """

    def __init__(self, stage_two_at: float | None):
        super().__init__()
        if stage_two_at is not None and not 0 < stage_two_at < 1:
            raise ValueError(
                f"stage_two_at must be between 0 and 1, both excluded, got {stage_two_at}; set it "
                "to null to train the shared network and the adapters together"
            )
        self.stage_two_at = stage_two_at

    def on_setup(self) -> None:
        """Begin the first stage.

        Raises:
            ValueError: if the policy of a group is not one ``lorasa`` for all its agents, or if the
                run ends before the second stage.
        """
        self.policy_models(Lorasa)  # raises if a policy does not fit
        if self.stage_two_at is None:
            return
        run = self.experiment
        n_iters, frames = run.config.get_max_n_iters(run.on_policy), self._first_frames()
        if ceil(frames / run.config.collected_frames_per_batch(run.on_policy)) >= n_iters:
            raise ValueError(
                f"stage_two_at={self.stage_two_at} leaves none of the run's {n_iters} iterations "
                "for the adapters; set a smaller method.stage_two_at, or train for more frames"
            )
        for group in run.group_map:
            self._begin(group, SHARED)

    def on_train_end(self, training_td: TensorDictBase, group: str) -> None:
        """Begin the second stage of a group, if it is due."""
        run = self.experiment
        if self.stage_two_at is None or len(run.group_map[group]) == 1:
            return
        if run.total_frames >= self._first_frames():
            self._begin(group, ADAPTERS)

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the groups' stages to a checkpoint."""
        state_dict["lorasa"] = {
            group: next(self._stages(group)).trained for group in self.experiment.group_map
        }

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the groups' stages from a checkpoint."""
        for group, trained in state_dict["lorasa"].items():
            self._begin(group, trained)

    def _first_frames(self) -> float:
        run = self.experiment
        return (self.stage_two_at or 0) * run.config.get_max_n_frames(run.on_policy)

    def _begin(self, group: str, trained: str) -> None:
        for stage in self._stages(group):
            stage.trained = trained

    def _stages(self, group: str) -> Iterator[Stage]:
        """Yield the stage of each model of a group, the policy's first."""
        run = self.experiment
        networks: list[Any] = [run.algorithm.get_policy_for_loss(group)]
        # torchrl keeps a loss's networks outside its modules, so that they add no parameters
        networks += [
            part for part in vars(run.losses[group]).values() if isinstance(part, nn.Module)
        ]
        for network in networks:
            yield from (part.stage for part in network.modules() if isinstance(part, Lorasa))
