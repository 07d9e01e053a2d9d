"""How far the weights that agents run on have moved, together and apart."""

from __future__ import annotations

from torch import Tensor


def moved(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Split the change of agents' weights into what they have in common, and the rest.

    Args:
        before: the weights of each agent, ``[n, p]``.
        after: the same weights later.

    Returns:
        The root mean square of the mean change over agents, and that of each agent's change less
        the mean, both in the unit of weights. Their squares add up to the mean square of the
        change.
    """
    change = after - before
    common = change.mean(0)
    return common.square().mean().sqrt(), (change - common).square().mean().sqrt()
