"""Refuse recurrent critics of ours beside policies that are not recurrent, before training.

BenchMARL marks where episodes begin only if the policy is recurrent, and a critic that needs to
know fails at its first batch. A model is not told what it stands beside, so the algorithm, which
is, is wrapped, here and only here; algorithms without one of our models are left alone.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from benchmarl.algorithms.common import Algorithm
from benchmarl.models.common import ModelConfig

from benchmarl_hyper.algorithms.happo.actors import parts
from benchmarl_hyper.models.common.recurrent import RecurrentConfig


def install() -> None:
    """Wrap the constructor of BenchMARL's algorithms, once."""
    original = Algorithm.__init__
    if hasattr(original, "_benchmarl_hyper"):
        return

    @wraps(original)
    def __init__(self: Algorithm, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **kwargs)
        if self.has_independent_critic or self.has_centralized_critic:
            check_pair(self.model_config, self.critic_model_config)

    __init__._benchmarl_hyper = True  # type: ignore[attr-defined]
    Algorithm.__init__ = __init__


def check_pair(policy: ModelConfig, critic: ModelConfig) -> None:
    """Check what will be built.

    Raises:
        ValueError: if the critic has a recurrent model of ours and the policy is not recurrent.
    """
    ours = next((part for part in parts(critic) if isinstance(part, RecurrentConfig)), None)
    if ours is not None and not policy.is_rnn:
        raise ValueError(
            f"critic_model {ours.variant()} is recurrent, but the policy is not, and BenchMARL "
            "then tells nobody where episodes begin; choose a recurrent policy, for example "
            f"model=layers/{ours.variant()}, or another critic, for example "
            "model@critic_model=layers/hypermarl_mlp"
        )
