"""Each agent's policy gradient, computed from an experiment's loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from tensordict import TensorDictBase
from tensordict.nn import TensorDictParams
from torch import Tensor
from torchrl.objectives import LossModule

from benchmarl_hyper.algorithms.happo.loss import HappoLoss
from benchmarl_hyper.diagnostics.fitting import MisfitError
from benchmarl_hyper.measures.gradients import (
    conflict,
    coordinate_variance,
    cosine_similarities,
    minibatch_variance,
)
from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.weights.layers import Layer

POLICY_LOSSES = ("loss_objective", "loss_actor")  # of PPO and A2C, and of all others


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


def gradient_measures(
    loss: LossModule, batch: TensorDictBase, n_agents: int, parts: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what :class:`~benchmarl_hyper.diagnostics.callbacks.GradientCallback` records.

    Args:
        loss: the loss of a group.
        batch: a minibatch in the form that the loss takes.
        n_agents: number of agents in the group.
        parts: number of parts of the minibatch for the variance between them, which is left out if
            the minibatch cannot be split.

    Returns:
        Scalars by name, and matrices with a row per agent by name.

    Raises:
        MisfitError: if the loss has no policy gradient, or none for each agent.
    """
    by_agent, generated = policy_gradients(loss, batch, n_agents)
    size = max(len(batch) // parts, 1)
    whole = [part for part in batch.split(size) if len(part) == size]
    n_parameters = sum(p.numel() for p in loss.parameters())
    values = {
        "gradient_variance_coordinates": coordinate_variance(by_agent.mean(0), n_parameters),
    }
    matrices = {}
    if len(whole) > 1:
        by_part = torch.stack([mean_policy_gradient(loss, part, n_agents) for part in whole])
        values["gradient_variance_minibatches"] = minibatch_variance(by_part)
    if generated is not None:
        norms = torch.stack([generated, by_agent.norm(dim=-1)], dim=-1)
        values["gradient_norm_generated"], values["gradient_norm_parameters"] = norms.mean(0)
        matrices["gradient_norms"] = norms
    if n_agents > 1:
        cosines = cosine_similarities(by_agent)
        values["gradient_conflict"], values["gradient_conflict_share"] = conflict(cosines)
        matrices["gradient_cosine"] = cosines
    return values, matrices


def policy_gradients(loss: LossModule, batch: TensorDictBase, n_agents: int) -> PolicyGradients:
    """Return each agent's policy gradient.

    Args:
        loss: a loss with ``actor_network_params``, a ``reduction``, and one of ``POLICY_LOSSES``
            among the losses that it returns.
        batch: a minibatch in the form that the loss takes.
        n_agents: number of agents in the group.

    Raises:
        MisfitError: if the loss has no policy gradient, or none for each agent.
    """
    check_has_policy_gradient(loss)
    with _generated_layers(loss, n_agents) as layers:
        losses = _losses_by_agent(loss, batch, n_agents)
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


def check_has_policy_gradient(loss: LossModule) -> None:
    """Raise :class:`MisfitError` if a loss cannot have a policy gradient for each agent."""
    name = type(loss).__name__
    if not isinstance(getattr(loss, "actor_network_params", None), TensorDictParams):
        raise MisfitError(f"{name} has no actor_network_params, so there is no policy gradient")
    if not hasattr(loss, "reduction"):
        raise MisfitError(f"{name} has no reduction, so it gives no loss for each agent")
    if isinstance(loss, HappoLoss):
        raise MisfitError(
            f"{name} is the loss of one agent at a time, and no two agents share parameters"
        )


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

    policy: Any = loss.actor_network
    models = [m for m in policy.modules() if isinstance(m, GeneratedMlp)]
    hooks = [m.generator.register_forward_hook(collect) for m in models if not m.agents_alike]
    try:
        yield layers
    finally:
        for hook in hooks:
            hook.remove()


def _losses_by_agent(loss: LossModule, batch: TensorDictBase, n_agents: int) -> Tensor:
    reduction, loss.reduction = loss.reduction, "none"
    try:
        losses: Any = loss(batch.clone(recurse=False))
    finally:
        loss.reduction = reduction
    key = next((key for key in POLICY_LOSSES if key in losses), None)
    if key is None:
        raise MisfitError(f"{type(loss).__name__} returns none of {', '.join(POLICY_LOSSES)}")
    value = losses[key]
    by_agent = (*batch.shape, n_agents)
    if (
        value.numel() != batch.numel() * n_agents
        or value.shape[: len(by_agent)] != by_agent[: value.dim()]
    ):
        raise MisfitError(
            f"{type(loss).__name__} without reduction returns a {key} of shape "
            f"{tuple(value.shape)}, and not of {by_agent}, which is a loss for each agent"
        )
    if not value.requires_grad:
        raise MisfitError(f"{key} of {type(loss).__name__} does not depend on the policy")
    return value.reshape(-1, n_agents).mean(0)


def _parameters(loss: LossModule) -> list[Tensor]:
    return [p for p in loss.actor_network_params.parameters() if p.requires_grad]


def _gradients(value: Tensor, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, sources, retain_graph=True, materialize_grads=True)


def _flat(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in gradients]) if gradients else torch.zeros(1)
