"""What single settings must be, by key."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

from tensordict.nn import mappings


class Rule(NamedTuple):
    """What the values of some settings must be.

    Attributes:
        holds: function that tells whether a value is allowed.
        words: the rule in words, after "must be".
    """

    holds: Callable[[Any], bool]
    words: str


def _or_null(rule: Rule) -> Rule:
    return Rule(lambda x: x is None or rule.holds(x), f"null, or {rule.words}")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _maps(value: Any) -> bool:
    try:
        return callable(mappings(value))
    except (NotImplementedError, ValueError, AttributeError, TypeError):
        return False


FLAG = Rule(lambda x: isinstance(x, bool), "true or false")
COUNT = Rule(lambda x: _whole(x) and x > 0, "a whole number above 0, for example 1")
COUNT_OR_NULL = _or_null(COUNT)
FROM_ZERO = Rule(lambda x: _whole(x) and x >= 0, "a whole number, 0 or above")
POSITIVE = Rule(lambda x: _number(x) and x > 0, "above 0, for example 0.001")
POSITIVE_OR_NULL = _or_null(POSITIVE)
NOT_NEGATIVE = Rule(lambda x: _number(x) and x >= 0, "0 or above")
SHARE = Rule(lambda x: _number(x) and 0 <= x <= 1, "between 0 and 1, for example 0.9")
STEP = Rule(lambda x: _number(x) and 0 < x <= 1, "above 0 and at most 1, for example 0.005")
LOSS = ("l1", "l2", "smooth_l1")
ONE_LOSS = Rule(lambda x: x in LOSS, f"one of {', '.join(LOSS)}")
MAPPING = Rule(
    _maps, "a mapping of tensordict, for example softplus, exp, relu or biased_softplus_1.0"
)


def _seed(value: Any) -> bool:
    return _whole(value) and 0 <= value < 2**32


SEED = Rule(
    lambda x: (
        _seed(x)
        or (isinstance(x, list) and bool(x) and all(map(_seed, x)) and len(set(x)) == len(x))
    ),
    "a whole number from 0 to 4294967295, or a list of different ones, which are trained at once: "
    "seed=[0,1,2]; for seeds one after the other, add -m: -m seed=0,1,2",
)

# Rules by key. BenchMARL's settings of the other kind of algorithm (on_policy, off_policy) are not
# used and not checked. In names of keys, * stands for anything.
RULES: dict[str, Rule] = {
    "seed": SEED,
    "num_threads": COUNT,
    "checkpoint_share": STEP,
    "lean_rollout": FLAG,
    "experiment.gamma": SHARE,
    "experiment.lr": POSITIVE,
    "experiment.adam_eps": POSITIVE,
    "experiment.clip_grad_val": POSITIVE_OR_NULL,
    "experiment.polyak_tau": STEP,
    "experiment.hard_target_update_frequency": COUNT,
    "experiment.exploration_eps_*": SHARE,
    "experiment.exploration_anneal_frames": COUNT_OR_NULL,
    "experiment.max_n_*": COUNT_OR_NULL,
    "experiment.*_collected_frames_per_batch": COUNT,
    "experiment.*_n_envs_per_worker": COUNT,
    "experiment.on_policy_n_minibatch_iters": COUNT,
    "experiment.on_policy_minibatch_size": COUNT,
    "experiment.off_policy_n_optimizer_steps": COUNT,
    "experiment.off_policy_train_batch_size": COUNT,
    "experiment.off_policy_memory_size": COUNT,
    "experiment.off_policy_init_random_frames": FROM_ZERO,
    "experiment.off_policy_prb_*": NOT_NEGATIVE,
    "experiment.evaluation_interval": COUNT,
    "experiment.evaluation_episodes": COUNT,
    "experiment.checkpoint_interval": FROM_ZERO,
    "experiment.keep_checkpoints_num": COUNT_OR_NULL,
    "algorithm.clip_epsilon": POSITIVE,
    "algorithm.lmbda": SHARE,
    "algorithm.entropy_coef": NOT_NEGATIVE,
    "algorithm.critic_coef": NOT_NEGATIVE,
    "algorithm.loss_critic_type": ONE_LOSS,
    "algorithm.loss_function": ONE_LOSS,
    "algorithm.scale_mapping": MAPPING,
    "algorithm.num_qvalue_nets": COUNT,
    "algorithm.mixing_embed_dim": COUNT,
    "algorithm.alpha_init": POSITIVE,
    "algorithm.min_alpha": POSITIVE_OR_NULL,
    "algorithm.max_alpha": POSITIVE_OR_NULL,
    "algorithm.discrete_target_entropy_weight": POSITIVE,
    "task.max_steps": COUNT_OR_NULL,
    "task.max_cycles": COUNT_OR_NULL,
    "task.horizon": COUNT_OR_NULL,
    "task.n_agents": COUNT_OR_NULL,
}


@cache
def rule_of(key: str) -> Rule | None:
    """Return the rule of a setting; None if it has none.

    Args:
        key: the dotted key of the setting.
    """
    return next((rule for pattern, rule in RULES.items() if fnmatchcase(key, pattern)), None)
