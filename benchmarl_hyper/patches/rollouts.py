"""Tell our models when a rollout begins and ends, so that they generate weights once per rollout.

torchrl has no hook for this, so ``rollout`` of its collector and of its environments is wrapped.
Delete this module on the day that torchrl has such a hook, and enter
:func:`~benchmarl_hyper.running.rollout_cache.fixed_parameters` there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchrl import collectors
from torchrl.envs import EnvBase

from benchmarl_hyper.patches.wrapping import wrap_once
from benchmarl_hyper.running.lean_rollout import LeanRollout
from benchmarl_hyper.running.rollout_cache import fixed_parameters

# torchrl 0.11 introduced the first name, and 0.13 removed the second.
COLLECTOR = getattr(collectors, "Collector", None) or collectors.SyncDataCollector


def wrap_rollouts() -> None:
    """Wrap the rollouts of collectors and environments; a second call has no effect."""
    for cls in (COLLECTOR, EnvBase, LeanRollout):
        wrap_once(cls, "rollout", _with_fixed_parameters)


def _with_fixed_parameters(method: Callable) -> Callable:
    def rollout(*args: Any, **kwargs: Any) -> Any:
        with fixed_parameters():
            return method(*args, **kwargs)

    return rollout
