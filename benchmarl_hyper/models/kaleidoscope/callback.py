"""The diversity term and the resets of Kaleidoscope, during training."""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase

from benchmarl_hyper.models.common.method_callback import MethodCallback
from benchmarl_hyper.models.kaleidoscope.model import Kaleidoscope, mask_diversity

BETA_MODES = ("adaptive", "fixed")
# The policy's loss in PPO, in SAC and DDPG, and in Q-learning.
POLICY_LOSSES = ("loss_objective", "loss_actor", "loss")


class KaleidoscopeCallback(MethodCallback):
    """Make the agents' masks differ, and redraw weights that all agents mask.

    The policy's loss becomes ``L + beta_t L_div``, where ``L_div`` is minus
    :func:`~benchmarl_hyper.models.kaleidoscope.model.mask_diversity`. In the fixed mode, ``beta_t``
    is ``beta``. In the adaptive mode, it is ``|beta mean(L) / mean(L_div)|`` over the last
    ``window`` steps, or ``beta`` if one of the means is 0. ``loss_diversity`` and ``beta_t`` are
    logged under ``train/<group>``, the latter as ``beta``.

    Args:
        beta: weight of the diversity term.
        beta_mode: ``"adaptive"``, as published, or ``"fixed"``.
        window: number of training steps that the adaptive weight averages over.
        weighted: whether masks of large weights count for more in the diversity term.
        reset_interval: number of environment steps between resets; None for no resets. There are
            none in the last interval before the end.
        reset_probability: probability that a reset redraws a weight that all agents mask, together
            with its thresholds.

    Raises:
        ValueError: if ``beta_mode`` is unknown.
    """

    def __init__(
        self,
        beta: float,
        beta_mode: str,
        window: int,
        weighted: bool,
        reset_interval: int | None,
        reset_probability: float,
    ):
        super().__init__()
        if beta_mode not in BETA_MODES:
            raise ValueError(f"beta_mode must be {' or '.join(BETA_MODES)}, got {beta_mode!r}")
        self.beta, self.beta_mode, self.weighted = beta, beta_mode, weighted
        self.reset_interval, self.reset_probability = reset_interval, reset_probability
        # For each group: recent losses of the policy, and recent diversity losses.
        self.recent: dict[str, tuple[deque[float], deque[float]]] = defaultdict(
            partial(_two_windows, window)
        )
        self.last: dict[str, TensorDict] = {}

    def on_setup(self) -> None:
        """Let this experiment's algorithm add the diversity term whenever it processes losses.

        Raises:
            ValueError: if the policy of a group is not one ``kaleidoscope`` for all its agents.
        """
        algorithm = self.experiment.algorithm
        self.policy_models(Kaleidoscope)  # raises if a policy does not fit
        original = algorithm.process_loss_vals

        def process_loss_vals(group: str, loss_vals: TensorDictBase) -> TensorDictBase:
            return self.with_diversity(group, original(group, loss_vals))

        algorithm.process_loss_vals = process_loss_vals

    def with_diversity(self, group: str, losses: TensorDictBase) -> TensorDictBase:
        """Return the losses of a group, with the diversity term added to the policy's loss.

        Where the policy rests in a step, as in TD3, so do the thresholds.

        Args:
            group: name of the group.
            losses: what the algorithm returned for a minibatch.

        Raises:
            ValueError: if none of ``POLICY_LOSSES`` is among them.
        """
        models = self.policy_models(Kaleidoscope)
        if group not in models:
            return losses
        name = next((name for name in POLICY_LOSSES if name in losses), None)
        if name is None and getattr(self.experiment.losses[group], "policy_rests", False):
            nothing = torch.zeros((), device=losses.device)  # each step logs the same names
            self.last.setdefault(group, TensorDict({"loss_diversity": nothing, "beta": nothing}))
            return losses
        if name is None:
            raise ValueError(
                f"Kaleidoscope adds its diversity term to the loss of the policy, one of "
                f"{', '.join(POLICY_LOSSES)}, but {self.experiment.algorithm_name} has only "
                f"{', '.join(map(str, losses.keys()))}; give the loss of group '{group}' one of "
                "these names in the algorithm's process_loss_vals"
            )
        diversity = -mask_diversity(models[group].masked_layers(), self.weighted)
        beta = self._beta(group, losses[name].item(), diversity.item())
        losses.set(name, losses[name] + beta * diversity)
        self.last[group] = TensorDict(
            {"loss_diversity": diversity.detach(), "beta": diversity.new_tensor(beta)}
        )
        return losses

    def on_train_step(self, batch: TensorDictBase, group: str) -> TensorDict | None:
        """Return the diversity loss and its weight in this step, to be logged."""
        return self.last.get(group)

    def on_train_end(self, training_td: TensorDictBase, group: str) -> None:
        """Redraw weights that all agents mask, if a reset is due.

        BenchMARL sends the weights to the collector right after this.
        """
        models = self.policy_models(Kaleidoscope)
        if group not in models or not self._is_time():
            return
        for layer in models[group].masked_layers():
            layer.revive(self.reset_probability)

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the window of the adaptive weight to a checkpoint."""
        recent = {group: [list(losses) for losses in both] for group, both in self.recent.items()}
        state_dict["kaleidoscope"] = recent

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the window of the adaptive weight from a checkpoint."""
        for group, both in state_dict["kaleidoscope"].items():
            for window, losses in zip(self.recent[group], both, strict=True):
                window.extend(losses)

    def _beta(self, group: str, loss: float, diversity: float) -> float:
        if self.beta_mode == "fixed":
            return self.beta
        for window, value in zip(self.recent[group], (loss, diversity), strict=True):
            window.append(value)
        mean_loss, mean_diversity = (sum(window) / len(window) for window in self.recent[group])
        if mean_loss == 0 or mean_diversity == 0:
            return self.beta
        return abs(self.beta * mean_loss / mean_diversity)

    def _is_time(self) -> bool:
        run, interval = self.experiment, self.reset_interval
        if interval is None:
            return False
        now = run.total_frames
        before = now - run.config.collected_frames_per_batch(run.on_policy)
        end = run.config.get_max_n_frames(run.on_policy)
        return now // interval > before // interval and now <= end - interval


def _two_windows(length: int) -> tuple[deque[float], deque[float]]:
    return deque(maxlen=length), deque(maxlen=length)
