"""What callbacks measure, asked of an experiment's policies and losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from tensordict import TensorDict, TensorDictBase
from tensordict.utils import NestedKey
from torch import Tensor
from torch.nn.functional import one_hot
from torchrl.envs.utils import ExplorationType, set_exploration_type
from torchrl.objectives import LossModule

from benchmarl_hyper.measures.diversity import js_distances, tv_distances, w2_distances
from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.weights.layers import Layer


def group_distances(
    policy: Any, rollouts: Sequence[TensorDictBase], group: str, device: Any
) -> Iterator[tuple[str, Tensor]]:
    """Names and matrices ``[n, n]`` of the distances that fit the policy.

    Args:
        policy: of a group; its output for an agent may depend on that agent's entries alone.
        rollouts: batches of steps with what the policy reads.
        group: whose agents.
        device: where the policy is.
    """
    keys = [
        key for key in policy.in_keys if not key[-1].startswith("_")
    ]  # hidden states start at 0
    outputs = [everyone_on_everything(policy, r.select(*keys).to(device), group) for r in rollouts]
    out: Any = torch.cat(outputs, dim=1)  # [n, o]
    if "loc" in out:
        yield "snd", w2_distances(out["loc"], out["scale"])
        yield "snd_loc", w2_distances(out["loc"])
    elif "param" in out:
        yield "snd_loc", w2_distances(out["param"])
    else:
        probabilities = _probabilities(out)
        yield "snd_js", js_distances(probabilities)
        yield "snd_tvd", tv_distances(probabilities)


def policy_keys(policy: Any) -> list[NestedKey]:
    """What a policy reads, but for hidden states, which start at zero where they are absent."""
    return [key for key in policy.in_keys if not key[-1].startswith("_")]


def thinned(steps: TensorDictBase, max_steps: int) -> TensorDictBase:
    """At most so many of the steps ``[o]``, evenly spaced."""
    chosen = torch.linspace(0, len(steps) - 1, min(max_steps, len(steps)))
    return steps[chosen.round().long().to(steps.device)]


OUTPUTS = ("loc", "scale", "param", "logits", "action_value", "action_mask")


def everyone_on_everything(policy: Any, steps: TensorDictBase, group: str) -> TensorDict:
    """What each agent's policy puts out for what each agent saw, ``[n, n * steps]``."""
    agent_dim, n = steps.batch_dims, steps[group].batch_size[-1]
    shifted = []
    for shift in range(n):
        rolled = steps.clone(recurse=False)
        rolled[group] = steps[group].apply(lambda x, shift=shift: x.roll(shift, dims=agent_dim))
        with set_exploration_type(ExplorationType.DETERMINISTIC):
            out = policy(rolled)[group]
        shifted.append(out.select(*OUTPUTS, strict=False).flatten(0, agent_dim - 1))
    agent = torch.arange(n)
    origin = (agent.unsqueeze(1) - agent) % n  # the shift that brings agent k's step to agent j
    stacked: Any = torch.stack(shifted)  # [shift, step, agent]
    asked = {key: x[origin, :, agent.unsqueeze(1)].flatten(1, 2) for key, x in stacked.items()}
    return TensorDict(asked, [n, n * steps.numel()])


def _probabilities(out: TensorDict) -> Tensor:
    greedy = "action_value" in out
    scores = out["action_value"] if greedy else out["logits"]
    if "action_mask" in out:
        scores = scores.masked_fill(~out["action_mask"], -torch.inf)
    if greedy:
        return one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)
    return scores.softmax(-1)


class PolicyGradients(NamedTuple):
    """Gradients of the agents' policy losses ``L_i`` at one place.

    Attributes:
        parameters: ``dL_i / d psi``, flat, ``[n_agents, p]``: with respect to all of the policy's
            parameters.
        generated: ``|dL_i / d theta_i|``, ``[n_agents]``: with respect to the weights that agent's
            own network runs on. None where agents run the same weights.
    """

    parameters: Tensor
    generated: Tensor | None


def policy_gradients(
    loss: LossModule, batch: TensorDictBase, n_agents: int
) -> PolicyGradients | None:
    """Every agent's policy gradient; None for a loss without one.

    Args:
        loss: with ``actor_network_params`` and a policy loss per agent.
        batch: a minibatch as the loss takes it.
        n_agents: of the group.
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
    """The flat gradient ``[p]`` of the mean over agents of their policy losses."""
    losses = _losses_by_agent(loss, batch, n_agents)
    return _flat(_gradients(losses.mean(), _parameters(loss)))


@contextmanager
def _generated_layers(loss: LossModule, n_agents: int) -> Iterator[list[Tensor]]:
    """Collects the weights and biases that our models generate, those with a row per agent."""
    layers: list[Tensor] = []

    def collect(module: Any, arguments: Any, made: list[Layer]) -> None:
        tensors = [tensor for layer in made for tensor in layer]  # of targets: without gradient
        layers.extend(t for t in tensors if t.requires_grad and len(t) == n_agents)

    policy = getattr(loss, "actor_network", None)  # Q-learning has none
    models = (
        [m for m in policy.modules() if isinstance(m, GeneratedMlp)] if policy is not None else []
    )
    hooks = [m.generator.register_forward_hook(collect) for m in models if not m.one_network]
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
