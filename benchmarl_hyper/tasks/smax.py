"""SMAX: battles between two teams of units, one of which jaxmarl's heuristic controls."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from tensordict import TensorDictBase
from torch import Tensor

from benchmarl_hyper.tasks.base import FamilyTask, TeamClass
from benchmarl_hyper.tasks.listing import EXTRAS
from benchmarl_hyper.tasks.team_env import TeamEnv

ATTACK_MODES = ("closest", "random")
# Steps; switches off jaxmarl's own limit, which does not distinguish truncation from termination.
NEVER = 2**31 - 1


@dataclass
class SmaxConfig:
    """Values of a battle (JaxMARL, arXiv 2311.10090).

    Attributes:
        map_name: jaxmarl's name of the map: the units on both sides and where they start.
        see_enemy_actions: whether agents see the last actions of visible enemies.
        walls_cause_death: whether a unit dies at the border of the map.
        attack_mode: which unit in its range an enemy attacks: the ``closest`` or a ``random`` one.
        horizon: number of steps after which an episode is truncated.

    Raises:
        ValueError: if the attack mode is unknown, or if the horizon is not positive.
    """

    map_name: str
    see_enemy_actions: bool
    walls_cause_death: bool
    attack_mode: str
    horizon: int

    def __post_init__(self) -> None:
        if self.attack_mode not in ATTACK_MODES:
            raise ValueError(
                f"attack_mode must be one of {', '.join(ATTACK_MODES)}, got {self.attack_mode!r}"
            )
        if self.horizon < 1:
            raise ValueError(f"horizon must be positive, got {self.horizon}")


class Battle(NamedTuple):
    """Pure functions on ``B`` battles at once; JAX compiles them once for each ``B``.

    ``units`` are jaxmarl's states of all environments, and ``key`` is JAX's random state.
    """

    sizes: dict[str, int]  # the sizes that TeamEnv takes as arguments
    blank: Callable[[int], Any]  # B -> placeholder units, which must be restarted before use
    restart: Callable[..., Any]  # key, units, mask [B] -> key, units
    # key, units, action [B, N] -> key, (units, reward [B, N], over [B])
    advance: Callable[..., Any]
    observe: Callable[[Any], dict[str, Any]]  # units -> what TeamEnv observes


@lru_cache
def battle(map_name: str, **settings: Any) -> Battle:
    """Return the functions of a map; environments with equal settings share them.

    Args:
        map_name: jaxmarl's name of the map.
        **settings: other arguments of jaxmarl's environment.

    Raises:
        ValueError: if the map is unknown; the message lists the known ones.
    """
    # JAX reads this at its first use. Otherwise, it would reserve most of a GPU's memory, and torch
    # could not use it.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax
    from jaxmarl.environments.smax import HeuristicEnemySMAX
    from jaxmarl.environments.smax.smax_env import MAP_NAME_TO_SCENARIO as MAPS

    if map_name not in MAPS:
        raise ValueError(f"map_name must be one of {', '.join(MAPS)}, got {map_name!r}")
    env = HeuristicEnemySMAX(scenario=MAPS[map_name], max_steps=NEVER, **settings)
    return Battle(
        sizes={
            "n_agents": env.num_allies,
            "n_observations": env.obs_size,
            "actions": env.num_ally_actions,
            "n_state": env.state_size,
        },
        blank=partial(_blank, env),
        restart=_randomised(partial(_restart, env)),
        advance=_randomised(partial(_advance, env)),
        observe=jax.jit(jax.vmap(partial(_observe, env))),
    )


def _randomised(one: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function of one environment and its key into one of ``B`` environments and one key."""
    import jax

    def each(key: Any, units: Any, values: Any) -> tuple[Any, Any]:
        keys = jax.random.split(key, len(values) + 1)
        return keys[0], jax.vmap(one)(keys[1:], units, values)

    return jax.jit(each)


def _blank(env: Any, num_envs: int) -> Any:
    import jax
    import jax.numpy as jnp

    _, one = jax.eval_shape(env.reset, jax.random.key(0))
    return jax.tree.map(lambda leaf: jnp.zeros((num_envs, *leaf.shape), leaf.dtype), one)


def _restart(env: Any, key: Any, units: Any, mask: Any) -> Any:
    import jax
    import jax.numpy as jnp

    _, fresh = env.reset(key)
    return jax.tree.map(lambda new, old: jnp.where(mask, new, old), fresh, units)


def _advance(env: Any, key: Any, units: Any, action: Any) -> tuple[Any, Any, Any]:
    actions = dict(zip(env.agents, action, strict=True))
    _, units, reward, done, _ = env.step_env(key, units, actions)
    return units, _team(env, reward), done["__all__"]


def _observe(env: Any, units: Any) -> dict[str, Any]:
    alive = units.state.unit_alive
    won = alive[: env.num_allies].any() & ~alive[env.num_allies :].any()
    return {
        "observation": _team(env, env.get_obs(units)),
        "action_mask": _team(env, env.get_avail_actions(units)).astype(bool),
        "state": env.get_world_state(units),
        "info": {"battle_won": won[None].astype("float32")},
    }


def _team(env: Any, values: dict[str, Any]) -> Any:
    import jax.numpy as jnp

    return jnp.stack([values[agent] for agent in env.agents])


class SmaxEnv(TeamEnv):
    """Battles in which the agents are the allies; an episode is terminated when a team is dead.

    ``battle_won`` in ``info`` says whether all enemies are dead and an ally is alive. The battles
    stay in JAX, on the same GPU as the tensors if JAX can use it, and otherwise on the CPU. Every
    tensor that is handed out is a copy.

    Args:
        config: the task's values.
        **kwargs: ``num_envs``, ``seed`` and ``device`` of :class:`TeamEnv`.
    """

    def __init__(self, config: SmaxConfig, **kwargs: Any):
        settings = asdict(config)
        horizon = settings.pop("horizon")
        self.battle = battle(**settings)
        super().__init__(
            **self.battle.sizes, horizon=horizon, masked=True, info=["battle_won"], **kwargs
        )
        self.units = _put(self.battle.blank(*self.batch_size), self.device)

    def _set_seed(self, seed: int | None) -> None:
        import jax

        super()._set_seed(seed)
        self.key = _put(jax.random.key(seed or 0), self.device)

    def _restart(self, mask: Tensor) -> None:
        self.key, self.units = self.battle.restart(self.key, self.units, _to_jax(mask))

    def _observe(self) -> dict[str, Any]:
        import jax

        return jax.tree.map(self._to_torch, self.battle.observe(self.units))

    def _advance(self, action: Tensor) -> tuple[Tensor, Tensor]:
        self.key, (self.units, reward, over) = self.battle.advance(
            self.key, self.units, _to_jax(action.int())
        )
        return self._to_torch(reward), self._to_torch(over)

    def _to_torch(self, array: Any) -> Tensor:
        return torch.from_dlpack(array.block_until_ready()).to(self.device, copy=True)


def _gpu(device: torch.device) -> Any:
    """Return a GPU as a device of JAX; None if JAX cannot use it or ``device`` is not a GPU."""
    import jax

    if device.type != "cuda":
        return None
    gpus = {gpu.id: gpu for gpu in jax.devices() if gpu.platform == "gpu"}
    return gpus.get(device.index or 0)


def _put(tree: Any, device: torch.device) -> Any:
    """Move JAX's arrays to the GPU ``device``, or to the CPU if JAX cannot use that GPU."""
    import jax

    return jax.device_put(tree, _gpu(device) or jax.devices("cpu")[0])


def _to_jax(tensor: Tensor) -> Any:
    """Return a JAX array that may share the tensor's memory.

    JAX must have read the array before the tensor changes.
    """
    import jax

    tensor = tensor if _gpu(tensor.device) else tensor.cpu()
    return jax.dlpack.from_dlpack(tensor.contiguous())


class SmaxClass(TeamClass):
    """A battle as a BenchMARL task."""

    family = "smax"
    config_type = SmaxConfig
    env_type = SmaxEnv
    extra, modules = EXTRAS[family]

    @staticmethod
    def log_info(batch: TensorDictBase) -> dict[str, float]:
        """Return the share of ended episodes that were won; empty if no episode has ended."""
        done = batch["next", "done"]
        if not done.any():
            return {}
        return {"collection/info/win_rate": batch["next", "info", "battle_won"][done].mean().item()}


class _SmaxTask(FamilyTask):
    """Two maps with fixed stalkers and zealots, and two with random units at random places."""

    @staticmethod
    def associated_class() -> type[SmaxClass]:
        """Return the class of these tasks."""
        return SmaxClass


# Made by a call, because members of a class cannot have names that begin with a digit.
SmaxTask = _SmaxTask(
    "SmaxTask", ["2S3Z", "3S5Z", "SMACV2_10_UNITS", "SMACV2_20_UNITS"], module=__name__
)
