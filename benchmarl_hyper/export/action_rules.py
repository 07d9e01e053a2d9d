"""How an agent that does not explore turns the output of its network into an action."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from tensordict.nn import ProbabilisticTensorDictModule
from torch import Tensor, nn
from torch.distributions import Categorical
from torchrl.modules import (
    Delta,
    IndependentNormal,
    MaskedCategorical,
    QValueModule,
    TanhDelta,
    TanhNormal,
)

# The rule for each distribution of actions. A rule makes an action from ``x``, the first entries of
# the network's output, as many as an action has.
RULES = {
    TanhNormal: "tanh",  # scale * tanh(x + shift) + centre
    TanhDelta: "tanh",
    IndependentNormal: "none",  # x
    Delta: "clamp",  # x, kept between low and high
    Categorical: "argmax",  # the largest output among the actions that the mask allows
    MaskedCategorical: "argmax",
}


class ActionRule(NamedTuple):
    """How the deterministic actions of a group follow from the outputs of its networks.

    Attributes:
        name: a value of ``RULES``.
        low: smallest action, ``[n_agents, actions]``; None for discrete actions.
        high: largest action, of the same shape.
        shift: what is added to ``x`` before a tanh, of the same shape.
        masked: whether a mask says which discrete actions are allowed.
    """

    name: str
    low: Tensor | None = None
    high: Tensor | None = None
    shift: Tensor | None = None
    masked: bool = False

    @property
    def size(self) -> int:
        """Number of entries in one agent's action."""
        return 1 if self.low is None else self.low.shape[-1]

    def constants(self) -> dict[str, Tensor]:
        """Return the tensors that the rule computes with, by name."""
        if self.low is None or self.high is None or self.shift is None:
            return {}
        scale, centre = (self.high - self.low) / 2, (self.high + self.low) / 2
        return {
            "tanh": {"scale": scale, "centre": centre, "shift": self.shift},
            "clamp": {"low": self.low, "high": self.high},
        }.get(self.name, {})

    def description(self) -> dict[str, Any]:
        """Return what is needed to apply one agent's rule, in types that JSON has."""
        if self.name == "argmax":
            return {"rule": self.name, "masked": self.masked}
        bounds = {"low": self.low, "high": self.high, "shift": self.shift}
        return {"rule": self.name} | {k: x.tolist() for k, x in bounds.items() if x is not None}

    def of_agent(self, i: int) -> ActionRule:
        """Return the rule of agent ``i``, with its own bounds, ``[actions]``."""
        bounds: dict[str, Any] = {"low": self.low, "high": self.high, "shift": self.shift}
        return self._replace(**{k: x[i].cpu() for k, x in bounds.items() if x is not None})


def action_rule(policy: Any, action_spec: Any) -> ActionRule:
    """Return the rule of a BenchMARL policy.

    Args:
        policy: policy of a group, as the algorithm builds it for its loss.
        action_spec: spec of the group's actions.

    Raises:
        ValueError: if the policy has a distribution that BenchMARL's algorithms do not use.
    """
    last = policy[-1] if hasattr(policy, "__getitem__") else policy
    if isinstance(last, QValueModule):
        return ActionRule("argmax", masked=last.action_mask_key is not None)
    kind = last.distribution_class if isinstance(last, ProbabilisticTensorDictModule) else None
    if kind not in RULES:
        raise ValueError(
            "no deterministic action is known for a policy that ends in "
            f"{(kind or type(last)).__name__}; the known distributions are "
            f"{', '.join(known.__name__ for known in RULES)}"
        )
    if RULES[kind] == "argmax":
        return ActionRule("argmax", masked=kind is MaskedCategorical)
    low, high = action_spec.space.low, action_spec.space.high
    # torchrl also adds the centre to the parameter of a TanhDelta before the tanh.
    shift = (low + high) / 2 if kind is TanhDelta else torch.zeros_like(low)
    return ActionRule(RULES[kind], low, high, shift)


class ActingAgent(nn.Module):
    """One agent's network with its rule for actions, which needs no package except torch.

    Args:
        network: network from observations ``[batch, in]`` to outputs ``[batch, out]``.
        rule: the agent's own rule.
    """

    scale: Tensor
    centre: Tensor
    shift: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, network: nn.Sequential, rule: ActionRule):
        super().__init__()
        self.network = network
        self.rule = rule
        for name, value in rule.constants().items():
            self.register_buffer(name, value)

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the output ``[batch, out]`` and the action.

        The action is ``[batch, actions]``, or ``[batch]`` if it is discrete.

        Args:
            observation: the observation, ``[batch, in]``.
            mask: which discrete actions are allowed, ``[batch, out]``; None for all.
        """
        output = self.network(observation)
        if self.rule.name == "argmax":
            scores = output if mask is None else output.masked_fill(~mask, -torch.inf)
            return output, scores.argmax(-1)
        x = output[..., : self.rule.size]
        if self.rule.name == "tanh":
            x = self.scale * torch.tanh(x + self.shift) + self.centre
        elif self.rule.name == "clamp":
            x = torch.clamp(x, self.low, self.high)
        return output, x
