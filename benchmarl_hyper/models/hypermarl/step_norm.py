"""Chosen steps: how far one step of Adam moves generated weights, together and apart.

Two numbers describe a way of sharing. In learning rates, for one step of Adam on the weights
``w_i`` of agents ``i``:

- the common step: how far all ``w_i`` move together if the gradients of all agents are equal;
- the own step: how far they move apart if gradients are unrelated, as the root mean square of
  ``w_i`` less its mean over agents.

Separate networks have (1, 1), one network for all has (1, 0). A hypernetwork ``w_i = p + sum_k v_ik
P_k`` gets the steps that are asked for by fixed multipliers, which
``docs/methods/hypermarl.md`` derives:

- Codes ``v`` are centred over agents. Gradients that agents have in common then cancel in the
  rows ``P_k`` and move the offset ``p`` alone.
- Codes are divided by the own step that they would give, :func:`own_step_of`.
- A parameter is multiplied in the forward pass and drawn larger by the inverse, which leaves the
  initial function as it is (as in the maximal update parametrisation, arXiv 2203.03466).
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

COMMON_STEP, OWN_STEP = 1.0, 0.35  # where a configuration has null
# Step of trunks and embeddings, relative to a code's length and in units of the own step
TRUNK_STEP = 3.0
LEAST = 1e-6  # own step of codes that are all the same, as those of one agent are


class Steps(NamedTuple):
    """The common and the own step of generated weights, in learning rates."""

    common: float
    own: float


def chosen_steps(
    step_norm: str | None, common_step: float | None, own_step: float | None
) -> Steps | None:
    """Return the steps that a configuration asks for; None for those of the published models."""
    if step_norm is None:
        return None
    return Steps(
        COMMON_STEP if common_step is None else common_step,
        OWN_STEP if own_step is None else own_step,
    )


def say_nothing_to_norm() -> None:
    """Log that an agent alone has no own step."""
    logging.getLogger(__name__).warning(
        "step_norm=unit has nothing to norm in a group of one agent, whose network is trained as "
        "fups trains it"
    )


@torch.no_grad()
def own_step_of(codes: Tensor) -> Tensor:
    """Return the own step that centred codes give: ``[..., 1, 1]``, in learning rates.

    Adam's first step moves each row ``P_k`` by the sign of its gradient ``sum_j v_jk g_j``. For
    independent normal ``g_j``, the signs of two rows have the expected product ``(2 / pi)
    asin(rho_kl)``, where ``rho_kl`` is the cosine of the codes' columns ``k`` and ``l`` (arcsine
    law). So the mean square of an agent's step is ``sum_kl v_ik v_il (2 / pi) asin(rho_kl)``.

    Args:
        codes: ``[..., n_agents, n_codes]``, with mean zero over agents.
    """
    columns = torch.nn.functional.normalize(codes, dim=-2)
    cosines = (columns.mT @ columns).clamp(-1, 1)
    products = (codes @ cosines.asin() * codes).sum(-1) * (2 / math.pi)
    return products.mean(-1)[..., None, None].clamp(min=LEAST**2).sqrt()


@dataclass(kw_only=True)
class StepsConfig:
    """The fields of a configuration that choose steps.

    Raises:
        ValueError: if ``step_norm`` is unknown, if a step is not positive and finite, or if a step
            is set without ``step_norm``.
    """

    # With defaults, since runs that older versions pickled have no such fields
    step_norm: str | None = None
    common_step: float | None = None
    own_step: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[misc]
        if self.step_norm not in (None, "unit"):
            raise ValueError(f"step_norm must be unit, or null for none, got {self.step_norm!r}")
        for key in ("common_step", "own_step"):
            value = getattr(self, key)
            if value is None:
                continue
            if self.step_norm is None:
                raise ValueError(
                    f"{key}={value} has no effect without step_norm; set step_norm to unit, or "
                    f"{key} to null"
                )
            if not 0 < value < math.inf:
                raise ValueError(
                    f"{key} must be positive and finite, in learning rates, got {value}"
                )
        if self.step_norm is not None and not getattr(self, "bias", True):
            raise ValueError(
                "step_norm=unit moves what agents have in common by heads' offsets, which "
                "bias=False removes; set bias to True, or step_norm to null"
            )
