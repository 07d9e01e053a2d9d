"""The diversity term and the resets of Kaleidoscope, during training."""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial
from typing import Any, ClassVar

import torch
from tensordict import TensorDict, TensorDictBase

from benchmarl_hyper.models.common.method_callback import MethodCallback
from benchmarl_hyper.models.kaleidoscope.critics import MaskedCritics, masked_critics
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
        critic_beta: weight of the same term for critics, where they are an ensemble of this model
            (TD3, SAC); they are then one network under a mask per critic.
        critic_window: number of training steps that its adaptive weight averages over.
        critic_reset_interval: number of environment steps after which the thresholds of one critic
            are redrawn, the next one each time; None for never.

    Raises:
        ValueError: if ``beta_mode`` is unknown.
    """

    not_pickled: ClassVar = {"critics": {}}

    def __init__(
        self,
        beta: float,
        beta_mode: str,
        window: int,
        weighted: bool,
        reset_interval: int | None,
        reset_probability: float,
        critic_beta: float,
        critic_window: int,
        critic_reset_interval: int | None,
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
        self.critic_beta, self.critic_reset_interval = critic_beta, critic_reset_interval
        self.recent_critics: dict[str, tuple[deque[float], deque[float]]] = defaultdict(
            partial(_two_windows, critic_window)
        )
        self.last: dict[str, TensorDict] = {}
        self.critics: dict[str, tuple[MaskedCritics, Kaleidoscope]] = {}

    def on_setup(self) -> None:
        """Let this experiment's algorithm add the diversity term whenever it processes losses.

        Raises:
            ValueError: if the policy of a group is not one ``kaleidoscope`` for all its agents.
        """
        algorithm, losses = self.experiment.algorithm, self.experiment.losses
        found = {group: masked_critics(loss) for group, loss in losses.items()}
        self.critics = {group: critics for group, critics in found.items() if critics}
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
        losses = self._with_critics(group, losses)
        models = self.policy_models(Kaleidoscope)
        if group not in models:
            return losses
        name = next((name for name in POLICY_LOSSES if name in losses), None)
        if name is None and getattr(self.experiment.losses[group], "policy_rests", False):
            nothing = torch.zeros((), device=losses.device)
            known = self.last.get(group, {})
            self._log(group, {"loss_diversity": nothing, "beta": nothing, **known})
            return losses
        if name is None:
            raise ValueError(
                f"Kaleidoscope adds its diversity term to the loss of the policy, one of "
                f"{', '.join(POLICY_LOSSES)}, but {self.experiment.algorithm_name} has only "
                f"{', '.join(map(str, losses.keys()))}; give the loss of group '{group}' one of "
                "these names in the algorithm's process_loss_vals"
            )
        diversity = -mask_diversity(models[group].masked_layers(), self.weighted)
        beta = self._beta(self.beta, self.recent[group], losses[name].item(), diversity.item())
        losses.set(name, losses[name] + beta * diversity)
        logged = {"loss_diversity": diversity.detach(), "beta": diversity.new_tensor(beta)}
        self._log(group, logged)
        return losses

    def _with_critics(self, group: str, losses: TensorDictBase) -> TensorDictBase:
        if group not in self.critics:
            return losses
        diversity = self.critics[group][0].loss_diversity(self.weighted)
        recent, loss = self.recent_critics[group], losses["loss_qvalue"]
        beta = self._beta(self.critic_beta, recent, loss.item(), diversity.item())
        logged = {"loss_diversity": diversity.detach(), "beta": diversity.new_tensor(beta)}
        self._log(group, {f"{name}_critics": value for name, value in logged.items()})
        return losses.set("loss_qvalue", loss + beta * diversity)

    def _log(self, group: str, values: Any) -> None:
        """Keep values for the log of this step, which has the same names in every step."""
        self.last[group] = TensorDict({**self.last.get(group, {}), **values})

    def on_train_step(self, batch: TensorDictBase, group: str) -> TensorDict | None:
        """Return the diversity loss and its weight in this step, to be logged."""
        return self.last.get(group)

    def on_train_end(self, training_td: TensorDictBase, group: str) -> None:
        """Redraw weights that all agents mask, if a reset is due.

        BenchMARL sends the weights to the collector right after this.
        """
        if group in self.critics and self._is_time(self.critic_reset_interval):
            critics, model = self.critics[group]
            layer = model.masked_layers()[0]
            index = self.experiment.total_frames // int(self.critic_reset_interval or 1) - 1
            critics.redraw(index, layer.scale, layer.bias)
        models = self.policy_models(Kaleidoscope)
        if group not in models or not self._is_time(self.reset_interval):
            return
        for layer in models[group].masked_layers():
            layer.revive(self.reset_probability)

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the window of the adaptive weight to a checkpoint."""
        for name, recent in self._windows().items():
            windows = {g: [list(losses) for losses in both] for g, both in recent.items()}
            state_dict[name] = windows

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the window of the adaptive weight from a checkpoint."""
        for name, recent in self._windows().items():
            for group, both in state_dict.get(name, {}).items():
                for window, losses in zip(recent[group], both, strict=True):
                    window.extend(losses)

    def _windows(self) -> dict[str, dict[str, tuple[deque[float], deque[float]]]]:
        return {"kaleidoscope": self.recent, "kaleidoscope_critics": self.recent_critics}

    def _beta(
        self, beta: float, recent: tuple[deque[float], deque[float]], loss: float, diversity: float
    ) -> float:
        if self.beta_mode == "fixed":
            return beta
        for window, value in zip(recent, (loss, diversity), strict=True):
            window.append(value)
        mean_loss, mean_diversity = (sum(window) / len(window) for window in recent)
        if mean_loss == 0 or mean_diversity == 0:
            return beta
        return abs(beta * mean_loss / mean_diversity)

    def _is_time(self, interval: int | None) -> bool:
        run = self.experiment
        if interval is None:
            return False
        now = run.total_frames
        before = now - run.config.collected_frames_per_batch(run.on_policy)
        end = run.config.get_max_n_frames(run.on_policy)
        return now // interval > before // interval and now <= end - interval


def _two_windows(length: int) -> tuple[deque[float], deque[float]]:
    return deque(maxlen=length), deque(maxlen=length)
