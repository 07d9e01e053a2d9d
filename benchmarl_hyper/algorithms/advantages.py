"""Generalised advantage estimation (arXiv 1506.02438), with BenchMARL's names of entries."""

from __future__ import annotations

from benchmarl.algorithms.common import Algorithm
from torchrl.objectives import ValueEstimators
from torchrl.objectives.common import LossModule

ENTRIES = ("reward", "action", "done", "terminated", "advantage", "value_target")


def with_advantages(loss: LossModule, algorithm: Algorithm, group: str) -> LossModule:
    """Let the loss of a group read its entries, and estimate its advantages from them.

    Args:
        loss: a loss of an actor and a critic.
        algorithm: the algorithm that it is for, which has ``lmbda``.
        group: name of the group.

    Returns:
        The loss.
    """
    loss.set_keys(
        **{entry: (group, entry) for entry in ENTRIES},
        value=(group, "state_value"),
        sample_log_prob=(group, "log_prob"),
    )
    gamma = algorithm.experiment_config.gamma
    loss.make_value_estimator(ValueEstimators.GAE, gamma=gamma, lmbda=algorithm.lmbda)
    return loss
