"""Generators that store the weights which they write; hypernetworks are generators, too.

A generator is a module that takes no input and returns one :class:`Layer` per layer of the target
network. (The hypernetwork of one ablation also reads observations.) Every module with parameters of
its own has ``reset_parameters()``, which redraws them in place.
"""

from __future__ import annotations

import torch
from torch import nn

from benchmarl_hyper.weights.initialisation import LayerSpec
from benchmarl_hyper.weights.layers import Layer


class Rows(nn.Module):
    """The weights and biases of one linear layer, with a row per network or per unit of a code.

    One row is full parameter sharing (FuPS). One row per agent is no parameter sharing (NoPS).

    Args:
        n_rows: number of rows.
        spec: sizes and initialisation of the layer.
        multiplier: factor of the parameters, which are drawn larger by its inverse. The layer
            starts the same for any factor, and a step of Adam moves it this factor times as far.
    """

    def __init__(self, n_rows: int, spec: LayerSpec, multiplier: float = 1.0):
        super().__init__()
        self.initialise, self.multiplier = spec.initialise, multiplier
        self.weight = nn.Parameter(torch.empty(n_rows, spec.in_features, spec.out_features))
        self.bias = nn.Parameter(torch.empty(n_rows, spec.out_features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Redraw all rows, in place."""
        self.initialise(self.weight, self.bias)
        if self.multiplier != 1:
            with torch.no_grad():
                self.weight.div_(self.multiplier)
                self.bias.div_(self.multiplier)

    def forward(self) -> Layer:
        """Return all rows: weight ``[rows, in, out]`` and bias ``[rows, 1, out]``."""
        weight, bias = self.weight, self.bias.unsqueeze(1)
        if self.multiplier != 1:
            return Layer(weight * self.multiplier, bias * self.multiplier)
        return Layer(weight, bias)


class IdRows(Rows):
    """One shared layer that reads ``[observation, one-hot id]`` (FuPS+ID).

    The product with a one-hot id selects a row of the weight. It acts as the agent's own bias.

    Args:
        n_agents: number of agents, which is the length of the id.
        spec: sizes and initialisation of the layer without the id.
        use_observation: whether the layer reads the observation; if False, it reads the id alone.
    """

    def __init__(self, n_agents: int, spec: LayerSpec, use_observation: bool):
        n_observed = spec.in_features if use_observation else 0
        super().__init__(1, spec._replace(in_features=n_observed + n_agents))
        self.n_observed = n_observed
        self.in_features = spec.in_features

    def forward(self) -> Layer:
        """Return one weight ``[1, in, out]`` for all agents, and biases ``[n_agents, 1, out]``."""
        bias = (self.bias + self.weight[0, self.n_observed :]).unsqueeze(1)
        if self.n_observed:
            return Layer(self.weight[:, : self.n_observed], bias)
        return Layer(bias.new_zeros(1, self.in_features, bias.shape[-1]), bias)


class Table(nn.ModuleList):
    """A generator whose layers are modules without inputs, for example :class:`Rows`."""

    def forward(self) -> list[Layer]:
        """Return the layers, first layer first."""
        return [layer() for layer in self]


def redraw(part: nn.Module) -> None:
    """Draw a new initialisation of a module, in place.

    A module with ``reset_parameters()`` redraws all of its own; of others, the parts are redrawn.
    """
    reset = getattr(part, "reset_parameters", None)
    if callable(reset):
        reset()
    else:
        for child in part.children():
            redraw(child)
