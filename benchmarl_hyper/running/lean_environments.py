"""Steps of vectorised environments as plain tensors, without what torchrl wraps around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from tensordict import NestedKey, TensorDictBase
from torch import Tensor
from torchrl.data import Composite
from torchrl.envs import Compose, EnvBase, RewardSum, TransformedEnv
from torchrl.envs.batched_envs import BatchedEnvBase
from torchrl.envs.libs.vmas import VmasWrapper

Columns = dict[NestedKey, Tensor]  # the entries of a TensorDict by their keys
Step = Callable[[TensorDictBase], Columns]


def can_step_leanly(env: EnvBase) -> bool:
    """Return whether an environment can be stepped by :func:`step_of` and :func:`sums_of`.

    It has one dimension of environments, in this process, which end as a whole. Its only transforms
    are sums of rewards, whose state is in the entries of a step.
    """
    return (
        type(env) is TransformedEnv
        and len(env.batch_size) == 1
        and env.batch_locked
        and not isinstance(env.base_env, BatchedEnvBase)
        and not env._has_dynamic_specs
        and not env.run_type_checks
        and env.reset_keys == ["_reset"]
        and {"done", "terminated"} <= {*env.done_keys}
        and all(type(part) is RewardSum for part in _transforms(env))
        and {*env.full_state_spec.keys(True, True)} <= {*env.full_observation_spec.keys(True, True)}
    )


def sums_of(env: TransformedEnv) -> dict[NestedKey, NestedKey]:
    """Return the keys of the sums of rewards that an environment's transforms write, by reward."""
    pairs = [zip(part.in_keys, part.out_keys, strict=True) for part in _transforms(env)]
    return {reward: total for pair in pairs for reward, total in pair}


def step_of(base: EnvBase) -> Step:
    """Return a function that takes a step of an environment without transforms.

    It takes a TensorDict with actions, and returns the entries of the next one.
    """
    return _vmas(base) if _is_plain_vmas(base) else _any(base)


def _transforms(env: TransformedEnv) -> Iterator[Any]:
    left = [env.transform]
    while left:
        part = left.pop(0)
        if type(part) is Compose:
            left = [*part, *left]
        else:
            yield part


def _any(base: EnvBase) -> Step:
    def step(carried: TensorDictBase) -> Columns:
        following = base._step(carried)
        base._complete_done(base.full_done_spec, following)
        return dict(following.items(True, True))

    return step


def _is_plain_vmas(base: Any) -> bool:
    """Return whether nothing of VMAS' environment is changed, and its agents see one tensor each.

    An environment that is not torchrl's class itself, or whose ``_step`` was replaced, is stepped
    by its own ``_step``.
    """
    if getattr(base._step, "__func__", None) is not VmasWrapper._step:
        return False
    simulator = base._env
    specs = [base.full_observation_spec[group, "observation"] for group in base.group_map]
    return (
        all(getattr(type(base), name) is getattr(VmasWrapper, name) for name in _READERS)
        and (simulator.continuous_actions or base.categorical_actions)
        and not (simulator.dict_spaces or simulator.terminated_truncated)
        and not any(base.het_specs_map.values())
        and not any(isinstance(spec, Composite) for spec in specs)
    )


_READERS = ("read_obs", "read_info", "read_done", "read_reward", "read_action")


def _vmas(base: Any) -> Step:
    """Return the step of ``VmasWrapper`` without a TensorDict per agent."""
    simulator, number = base._env, base.agent_names_to_indices_map
    groups = {name: [number[agent] for agent in agents] for name, agents in base.group_map.items()}
    order = sorted((i, group, place) for group in groups for place, i in enumerate(groups[group]))

    def step(carried: TensorDictBase) -> Columns:
        actions = {group: carried.get((group, "action")).unbind(1) for group in groups}
        seen, rewards, done, facts = simulator.step([actions[g][place] for _, g, place in order])
        done = _column(done)
        following: Columns = {"done": done, "terminated": done.clone()}
        for group, members in groups.items():
            following[group, "observation"] = torch.stack([_column(seen[i]) for i in members], 1)
            following[group, "reward"] = torch.stack([_column(rewards[i]) for i in members], 1)
            for name in facts[members[0]]:
                values = [_column(facts[i][name].to(torch.float32)) for i in members]
                following[group, "info", name] = torch.stack(values, 1)
        return following

    return step


def _column(values: Tensor) -> Tensor:
    return values.unsqueeze(-1) if values.dim() == 1 else values
