"""Outputs of an experiment's policies, and the distances between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from tensordict.utils import NestedKey
from torch import Tensor
from torch.nn.functional import one_hot
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper.measures.diversity import js_distances, tv_distances, w2_distances


def group_distances(
    policy: Any, rollouts: Sequence[TensorDictBase], group: str, device: Any
) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and matrices ``[n, n]`` of the distances that fit the policy.

    Args:
        policy: policy of a group; its output for an agent must depend only on that agent's entries.
        rollouts: batches of steps with the entries that the policy reads.
        group: name of the group.
        device: device of the policy.
    """
    keys = policy_keys(policy)
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
    """Return the keys that a policy reads, except hidden states, which start at zero if absent."""
    return [key for key in policy.in_keys if not key[-1].startswith("_")]


def thinned(steps: TensorDictBase, max_steps: int) -> TensorDictBase:
    """Return at most ``max_steps`` of the steps ``[o]``, evenly spaced."""
    chosen = torch.linspace(0, len(steps) - 1, min(max_steps, len(steps)))
    return steps[chosen.round().long().to(steps.device)]


OUTPUTS = ("loc", "scale", "param", "logits", "action_value", "action_mask")


def everyone_on_everything(policy: Any, steps: TensorDictBase, group: str) -> TensorDict:
    """Return what each agent's policy puts out for what each agent saw, ``[n, n * steps]``."""
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
