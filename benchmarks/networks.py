"""Policies and critics as BenchMARL's algorithms build them, from our models and its ``mlp``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from benchmarl.models import MlpConfig, model_config_registry
from benchmarl.models.common import Model
from tensordict import TensorDict
from timing import DEVICE
from torch import Tensor, nn
from torchrl.data import Composite, Unbounded

INPUTS, ACTIONS = 16, 9  # as in VMAS Dispersion with four agents
OURS = ["fups", "fups_id", "nops", "hypermarl_linear", "hypermarl_mlp", "hypermarl_lowrank"]
SHARED, UNSHARED = "mlp shared", "mlp unshared"


def network(
    name: str, n_agents: int, cells: list[int], critic: bool = False, **settings: Any
) -> Model:
    """Build a decentralised model.

    Args:
        name: name of one of our models, or ``SHARED`` or ``UNSHARED`` for BenchMARL's ``mlp``.
        n_agents: number of agents.
        cells: hidden sizes of each agent's network.
        critic: whether the output is one value per agent, instead of logits.
        **settings: fields of our model's config.
    """
    if name in (SHARED, UNSHARED):
        config = MlpConfig(num_cells=cells, activation_class=nn.Tanh, layer_class=nn.Linear)
    else:
        config = replace(model_config_registry[name].get_from_yaml(), num_cells=cells, **settings)
    output = {"state_value": 1} if critic else {"logits": ACTIONS}
    return config.get_model(
        input_spec=_spec(n_agents, observation=INPUTS),
        output_spec=_spec(n_agents, **output),
        agent_group="agents",
        input_has_agent_dim=True,
        n_agents=n_agents,
        centralised=False,
        share_params=name != UNSHARED,
        device=DEVICE,
        action_spec=Composite(),
    )


def observations(n_agents: int, batch: int) -> TensorDict:
    """Return random observations ``[batch, n_agents, INPUTS]``, as a collector passes them."""
    observation = torch.randn(batch, n_agents, INPUTS, device=DEVICE)
    agents = TensorDict({"observation": observation}, [batch, n_agents], device=DEVICE)
    return TensorDict({"agents": agents}, [batch], device=DEVICE)


def bare(x: Tensor, parameters: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Run separate networks with the fewest operations: a product per layer, and ``tanh``."""
    *hidden, (weight, bias) = parameters
    for w, b in hidden:
        x = torch.tanh(torch.baddbmm(b, x, w))
    return torch.baddbmm(bias, x, weight)


def _spec(n_agents: int, **sizes: int) -> Composite:
    entries = {key: Unbounded((n_agents, size), device=DEVICE) for key, size in sizes.items()}
    return Composite(agents=Composite(entries, shape=(n_agents,)), device=DEVICE)
