"""A policy and a vectorised environment, step by step, on plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordict import NestedKey, TensorDict, TensorDictBase, unravel_key
from torchrl.data import Composite
from torchrl.envs import TransformedEnv

from benchmarl_hyper.running.lean_environments import Columns, step_of, sums_of


class LeanSteps:
    """Takes the steps of ``EnvBase.step_and_maybe_reset``, with less around them.

    Args:
        env: an environment for which ``can_step_leanly`` holds.
        policy: function that writes its outputs into a TensorDict.
        outputs: keys of the policy's outputs.

    Attributes:
        kept: keys of what one step hands to the next.
    """

    def __init__(
        self,
        env: TransformedEnv,
        policy: Callable[[TensorDictBase], Any],
        outputs: Sequence[NestedKey],
    ):
        self.env, self.policy, self.outputs = env, policy, outputs
        self.kept = [*env.full_observation_spec.keys(True, True), *env.done_keys]
        self.layout = Layout(self.kept, env.full_observation_spec, env.device)
        self.rewards = {key: env.full_reward_spec[key].shape for key in env.reward_keys}
        self.sums = sums_of(env)
        self.step = step_of(env.base_env)

    def take(self, current: Columns) -> tuple[Columns, Columns, Columns]:
        """Take one step.

        Args:
            current: observations, sums of rewards, and whether episodes have ended.

        Returns:
            ``current`` with the policy's outputs; the outcome of the step; and the next
            ``current``, which differs from the outcome where episodes end.
        """
        carried = self.layout.tensordict(current)
        self.policy(carried)
        current = {**current, **{key: carried.get(key) for key in self.outputs}}
        outcome = self.step(carried)
        for reward, total in self.sums.items():
            outcome[total] = current[total] + outcome[reward]
        for reward, shape in self.rewards.items():
            outcome[reward] = outcome[reward].view(shape)
        following = {key: outcome[key] for key in self.kept}
        if outcome["done"].any():
            following = self._restarted(following)
        return current, outcome, following

    def _restarted(self, columns: Columns) -> Columns:
        ended = self.layout.tensordict(columns)
        ended["_reset"] = columns["done"].clone()
        started = self.env.reset(ended, select_reset_only=True)
        return {key: started.get(key) for key in self.kept}


class Layout:
    """Makes nested TensorDicts of entries.

    Args:
        keys: keys of the entries.
        spec: spec with the shapes of the TensorDicts.
        device: device of the TensorDicts.
        above: key of the TensorDict within the outermost.
    """

    def __init__(
        self, keys: Sequence[NestedKey], spec: Composite, device: Any, above: tuple[str, ...] = ()
    ):
        self.shape, self.device = spec.shape, device
        paths = [(key,) if isinstance(key, str) else key for key in keys]
        depth = len(above)
        self.leaves = {path[-1]: unravel_key(path) for path in paths if len(path) == depth + 1}
        names = dict.fromkeys(path[depth] for path in paths if len(path) > depth + 1)
        self.nested = {
            name: Layout(
                [p for p in paths if len(p) > depth + 1 and p[depth] == name],
                spec[name],
                device,
                (*above, name),
            )
            for name in names
        }

    def tensordict(self, columns: Columns) -> TensorDict:
        """Return a TensorDict of the entries, which may be among others."""
        entries: dict[str, Any] = {name: columns[key] for name, key in self.leaves.items()}
        for name, layout in self.nested.items():
            entries[name] = layout.tensordict(columns)
        return TensorDict(entries, batch_size=self.shape, device=self.device)
