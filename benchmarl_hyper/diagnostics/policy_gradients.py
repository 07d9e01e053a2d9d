"""Each agent's policy gradient, computed from an experiment's loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from tensordict import TensorDictBase
from torch import Tensor
from torchrl.objectives import LossModule

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.weights.layers import Layer


class PolicyGradients(NamedTuple):
    """Gradients of the agents' policy losses ``L_i`` at one set of parameters.

    Attributes:
        parameters: ``dL_i / d psi``, ``[n_agents, p]``: the flattened gradients with respect to all
            parameters of the policy.
        generated: ``|dL_i / d theta_i|``, ``[n_agents]``: the norms of the gradients with respect
            to the weights that each agent's own network runs on. None if agents run the same
            weights.
    """

    parameters: Tensor
    generated: Tensor | None


def policy_gradients(
    loss: LossModule, batch: TensorDictBase, n_agents: int
) -> PolicyGradients | None:
    """Return each agent's policy gradient; None if the loss has no policy gradient.

    Args:
        loss: a loss with ``actor_network_params`` and a policy loss per agent.
        batch: a minibatch in the form that the loss takes.
        n_agents: number of agents in the group.
    """
    with _generated_layers(loss, n_agents) as layers:
        losses = _losses_by_agent(loss, batch, n_agents)
    if losses is None:
        return None
    sources = _parameters(loss)
    parameters, generated = [], []
    for agent, value in enumerate(losses):
        gradients = _gradients(value, [*sources, *layers])
        parameters.append(_flat(gradients[: len(sources)]))
        generated.append(_flat([gradient[agent] for gradient in gradients[len(sources) :]]).norm())
    return PolicyGradients(torch.stack(parameters), torch.stack(generated) if layers else None)


def mean_policy_gradient(loss: LossModule, batch: TensorDictBase, n_agents: int) -> Tensor:
    """Return the flattened gradient ``[p]`` of the mean of the agents' policy losses."""
    losses = _losses_by_agent(loss, batch, n_agents)
    return _flat(_gradients(losses.mean(), _parameters(loss)))


@contextmanager
def _generated_layers(loss: LossModule, n_agents: int) -> Iterator[list[Tensor]]:
    """Collect the weights and biases that our models generate and that have a row per agent.

    SAC also runs its policy on the next observations, without gradient; these runs do not count.
    """
    layers: list[Tensor] = []

    def collect(module: Any, arguments: Any, made: list[Layer]) -> None:
        if torch.is_grad_enabled():
            tensors = [tensor for layer in made for tensor in layer]
            layers.extend(t for t in tensors if t.requires_grad and len(t) == n_agents)

    policy = getattr(loss, "actor_network", None)  # Q-learning has none
    models = (
        [m for m in policy.modules() if isinstance(m, GeneratedMlp)] if policy is not None else []
    )
    hooks = [m.generator.register_forward_hook(collect) for m in models if not m.agents_alike]
    try:
        yield layers
    finally:
        for hook in hooks:
            hook.remove()


def _losses_by_agent(loss: LossModule, batch: TensorDictBase, n_agents: int) -> Any:
    reduction, loss.reduction = loss.reduction, "none"
    try:
        losses = loss(batch.clone(recurse=False))
    finally:
        loss.reduction = reduction
    name = next((key for key in ("loss_objective", "loss_actor") if key in losses), None)
    return None if name is None else losses[name].reshape(-1, n_agents).mean(0)


def _parameters(loss: LossModule) -> list[Tensor]:
    return [p for p in loss.actor_network_params.parameters() if p.requires_grad]


def _gradients(value: Tensor, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, sources, retain_graph=True, materialize_grads=True)


def _flat(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in gradients]) if gradients else torch.zeros(1)
