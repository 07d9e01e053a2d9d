"""Actions and their log-probabilities, drawn without an object for the distribution.

Each function computes what its distribution computes, in the same order, so that results are equal
bit for bit. They are for actions that need no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution
from torch.nn.functional import softmax, softplus
from torchrl.modules import TanhNormal

Draw = Callable[..., tuple[Tensor, Tensor]]  # from the distribution's parameters


def draw_from(kind: Callable[..., Distribution], options: dict[str, Any]) -> Draw:
    """Return a function that draws actions, and returns them and their log-probabilities.

    Args:
        kind: class of the distribution.
        options: its arguments, except the parameters that a policy computes.
    """
    if kind is TanhNormal and options.keys() <= {"low", "high"}:
        return _tanh_normal(**options)
    if kind is Categorical and not options:
        return _categorical
    return _any(kind, options)


def _any(kind: Callable[..., Distribution], options: dict[str, Any]) -> Draw:
    def draw(**parameters: Tensor) -> tuple[Tensor, Tensor]:
        distribution = kind(**parameters, **options)
        sample = distribution.rsample if distribution.has_rsample else distribution.sample
        action = sample()
        return action, distribution.log_prob(action)

    return draw


def _categorical(logits: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits - logits.logsumexp(-1, keepdim=True)
    probabilities = softmax(logits, -1).reshape(-1, logits.shape[-1])
    action = torch.multinomial(probabilities, 1, True).T.reshape(logits.shape[:-1])
    return action, logits.gather(-1, action.unsqueeze(-1)).squeeze(-1)


def _tanh_normal(low: Any = -1.0, high: Any = 1.0) -> Draw:
    low, high = torch.as_tensor(low), torch.as_tensor(high)
    scaled = bool((high != 1.0).any() or (low != -1.0).any())
    middle, half = (high + low) / 2, (high - low) / 2
    log_half = torch.abs(half).log()

    def draw(loc: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        limit = 1.0 - torch.finfo(loc.dtype).resolution
        noise = loc.new_empty(loc.shape).normal_()  # in the order of entries, not of memory
        action = (loc + noise * scale).tanh().clamp(-limit, limit)
        if scaled:
            action = middle + half * action
        squashed = (action - middle) / half if scaled else action
        x = squashed.clamp(-limit, limit).atanh()
        jacobian = 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))
        if scaled:
            jacobian = jacobian + log_half
        density = -((x - loc) ** 2) / (2 * scale**2) - scale.log() - _LOG_ROOT
        return action, density.sum(-1) - jacobian.sum(-1)

    return draw


_LOG_ROOT = math.log(math.sqrt(2 * math.pi))
