"""Outputs of an experiment's policies, and the distances between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from tensordict.nn import ProbabilisticTensorDictModule
from tensordict.utils import NestedKey
from torch import Tensor, distributions, nn
from torch.nn.functional import one_hot
from torchrl import modules
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper.diagnostics.fitting import MisfitError
from benchmarl_hyper.measures.diversity import js_distances, tv_distances, w2_distances

# What the agents of a policy are compared by
GAUSSIAN, MEAN, LOGITS, VALUES = ("loc", "scale"), ("param",), ("logits",), ("action_value",)
# Exactly these distributions: a subclass may read the same entries in another way, as Ordinal does.
DISTRIBUTIONS = {
    modules.TanhNormal: GAUSSIAN,
    modules.IndependentNormal: GAUSSIAN,
    modules.TruncatedNormal: GAUSSIAN,
    modules.TanhDelta: MEAN,
    modules.Delta: MEAN,
    distributions.Categorical: LOGITS,
    distributions.OneHotCategorical: LOGITS,
    modules.OneHotCategorical: LOGITS,
    modules.MaskedCategorical: LOGITS,
    modules.MaskedOneHotCategorical: LOGITS,
}


def group_distances(
    policy: Any, rollouts: Sequence[TensorDictBase], group: str, device: Any
) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and matrices ``[n, n]`` of the distances that fit the policy.

    Args:
        policy: policy of a group.
        rollouts: batches of steps with the entries that the policy reads.
        group: name of the group.
        device: device of the policy.

    Raises:
        MisfitError: if the policy has outputs or a distribution for which no distance is known, or
            if its output for an agent depends on what other agents see.
    """
    kind, keys = output_kind(policy), policy_keys(policy)
    if not any(key[0] == group for key in keys):
        raise MisfitError("its policy reads nothing of an agent's own")
    steps = [rollout.select(*keys).to(device) for rollout in rollouts]
    check_agents_are_alone(policy, steps[0][:CHECKED], group)
    outputs = [everyone_on_everything(policy, batch, group) for batch in steps]
    out: Any = torch.cat(outputs, dim=1)  # [n, o]
    if kind == GAUSSIAN:
        yield "snd", w2_distances(out["loc"], out["scale"])
        yield "snd_loc", w2_distances(out["loc"])
    elif kind == MEAN:
        yield "snd_loc", w2_distances(out["param"])
    else:
        probabilities = _probabilities(out)
        yield "snd_js", js_distances(probabilities)
        yield "snd_tvd", tv_distances(probabilities)


def output_kind(policy: Any) -> tuple[str, ...]:
    """Return the names of the outputs by which the agents of a policy are compared.

    Raises:
        MisfitError: if no distance is known for its distribution or its outputs.
    """
    parts = policy.modules() if isinstance(policy, nn.Module) else ()
    makers: list[Any] = [m for m in parts if isinstance(m, ProbabilisticTensorDictModule)]
    names = {key[-1] for key in policy.out_keys if isinstance(key, tuple)}
    if makers:
        made = makers[-1].distribution_class
        if made not in DISTRIBUTIONS or not names.issuperset(DISTRIBUTIONS[made]):
            raise MisfitError(
                f"no distance is known between policies of {getattr(made, '__name__', made)}"
            )
        return DISTRIBUTIONS[made]
    for kind in (GAUSSIAN, MEAN, LOGITS, VALUES):
        if names.issuperset(kind):
            return kind
    raise MisfitError(
        f"its policy puts out {', '.join(sorted(names)) or 'nothing per agent'}, and distances are "
        "known for loc and scale, param, logits, and action_value"
    )


def policy_keys(policy: Any) -> list[NestedKey]:
    """Return the keys that a policy reads, except hidden states, which start at zero if absent."""
    return [key for key in policy.in_keys if not key[-1].startswith("_")]


def thinned(steps: TensorDictBase, max_steps: int) -> TensorDictBase:
    """Return at most ``max_steps`` of the steps ``[o]``, evenly spaced."""
    chosen = torch.linspace(0, len(steps) - 1, min(max_steps, len(steps)))
    return steps[chosen.round().long().to(steps.device)]


CHECKED = 16  # steps, or episodes of recurrent policies, that agents are checked on
OUTPUTS = (*GAUSSIAN, *MEAN, *LOGITS, *VALUES, "action_mask")


def check_agents_are_alone(policy: Any, steps: TensorDictBase, group: str) -> None:
    """Raise :class:`MisfitError` if an agent's output changes with what other agents see.

    The first agent is shown what the second saw a step before, and what everybody else puts out is
    compared.

    Args:
        policy: policy of a group.
        steps: steps with the entries that the policy reads.
        group: name of the group.
    """
    agent_dim, n = steps.batch_dims, steps[group].batch_size[-1]

    def changed(x: Tensor) -> Tensor:
        _, rest = x.split([1, n - 1], agent_dim)
        return torch.cat([rest.narrow(agent_dim, 0, 1).roll(1, agent_dim - 1), rest], agent_dim)

    if n == 1:
        return
    other = steps.clone(recurse=False)
    other[group] = steps[group].apply(changed)
    as_changed = _outputs(policy, other, group)
    for key, x in _outputs(policy, steps, group).exclude("action_mask").items():
        x, y = (out.narrow(agent_dim, 1, n - 1) for out in (x, as_changed.get(key)))
        if not torch.allclose(x, y, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise MisfitError(
                f"what its policy puts out for an agent ({key}) changes with what other agents "
                "see, so the agents cannot be compared on the same observations"
            )


def _outputs(policy: Any, steps: TensorDictBase, group: str) -> TensorDictBase:
    with set_exploration_type(ExplorationType.DETERMINISTIC):
        return policy(steps.clone(recurse=False))[group].select(*OUTPUTS, strict=False)


def everyone_on_everything(policy: Any, steps: TensorDictBase, group: str) -> TensorDict:
    """Return what each agent's policy puts out for what each agent saw, ``[n, n * steps]``."""
    agent_dim, n = steps.batch_dims, steps[group].batch_size[-1]
    shifted = []
    for shift in range(n):
        rolled = steps.clone(recurse=False)
        rolled[group] = steps[group].apply(lambda x, shift=shift: x.roll(shift, dims=agent_dim))
        shifted.append(_outputs(policy, rolled, group).flatten(0, agent_dim - 1))
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
