"""What our tasks share: a batch of environments with one team, and its BenchMARL task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import yaml
from benchmarl.environments.common import Task, TaskClass
from benchmarl.utils import DEVICE_TYPING
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

import benchmarl_hyper.conf

CONF = Path(benchmarl_hyper.conf.__file__).parent / "task"
GROUP = "agents"


class Box(NamedTuple):
    """Continuous actions of ``size`` entries between ``low`` and ``high``."""

    size: int
    low: float
    high: float


class TeamEnv(EnvBase):
    """``B`` environments at once with one group of ``N`` agents, called ``agents``.

    A subclass writes ``_restart``, ``_observe`` and ``_advance``, draws random numbers from
    ``generator`` alone, and never changes a tensor that it has handed out.

    Args:
        num_envs: ``B``.
        seed: of the environments' own generator; None draws one.
        device: where all tensors are.
        n_agents: ``N``.
        n_observations: features of an agent's observation.
        actions: the number of discrete actions, or a :class:`Box`.
        horizon: steps until an episode is truncated.
        n_state: features of a global state; None for no state.
        masked: whether there is an action mask.
        info: names of numbers per environment that are logged.
    """

    def __init__(
        self,
        num_envs: int,
        seed: int | None,
        device: DEVICE_TYPING,
        *,
        n_agents: int,
        n_observations: int,
        actions: int | Box,
        horizon: int,
        n_state: int | None = None,
        masked: bool = False,
        info: Sequence[str] = (),
    ):
        super().__init__(device=torch.device(device), batch_size=[num_envs])
        self.n_agents, self.horizon = n_agents, horizon
        team = (num_envs, n_agents)
        agent: dict[str, Any] = {"observation": Unbounded((*team, n_observations))}
        if masked:
            agent["action_mask"] = Categorical(2, (*team, actions), dtype=torch.bool)
        root: dict[str, Any] = {GROUP: Composite(agent, shape=team)}
        if n_state is not None:
            root["state"] = Unbounded((num_envs, n_state))
        if info:
            numbers = {key: Unbounded((num_envs, 1)) for key in info}
            root["info"] = Composite(numbers, shape=[num_envs])
        self.observation_spec = self._spec(root)
        action = (
            Bounded(actions.low, actions.high, (*team, actions.size))
            if isinstance(actions, Box)
            else Categorical(actions, team)
        )
        self.action_spec = self._spec({GROUP: Composite(action=action, shape=team)})
        reward = Unbounded((*team, 1))
        self.reward_spec = self._spec({GROUP: Composite(reward=reward, shape=team)})
        flag = Categorical(2, (num_envs, 1), dtype=torch.bool)
        self.done_spec = self._spec({k: flag.clone() for k in ("done", "terminated", "truncated")})
        self.steps = torch.zeros(num_envs, dtype=torch.long, device=self.device)
        self.generator = torch.Generator(self.device)
        self.set_seed(int(torch.randint(2**31, ())) if seed is None else seed)

    @abstractmethod
    def _restart(self, mask: Tensor) -> None:
        """Start new episodes where ``mask [B]`` is true, and change nothing elsewhere."""

    @abstractmethod
    def _observe(self) -> dict[str, Any]:
        """``observation [B, N, F]``, and what else there is: ``action_mask``, ``state``, ``info``.

        ``info`` is a dict of tensors ``[B, 1]``.
        """

    @abstractmethod
    def _advance(self, action: Tensor) -> tuple[Tensor, Tensor | None]:
        """One step: rewards ``[B, N]``, and where it ended the episode ``[B]`` (None: nowhere)."""

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Random numbers ``[B, *shape]`` of the environments' own generator."""
        sample = torch.rand(*self.batch_size, *shape, generator=self.generator, device=self.device)
        return low + (high - low) * sample

    def _spec(self, entries: dict[str, Any]) -> Composite:
        return Composite(entries, shape=self.batch_size).to(self.device)

    def _set_seed(self, seed: int | None) -> None:
        self.generator.manual_seed(0 if seed is None else seed)

    def _reset(self, tensordict: TensorDictBase | None = None, **kwargs: Any) -> TensorDictBase:
        mask = torch.ones(self.batch_size, dtype=torch.bool, device=self.device)
        if tensordict is not None and "_reset" in tensordict:
            mask = tensordict["_reset"].reshape(self.batch_size)
        self.steps = self.steps.masked_fill(mask, 0)
        self._restart(mask)
        return self._outcome(torch.zeros_like(mask), torch.zeros_like(mask))

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        reward, terminated = self._advance(tensordict[GROUP, "action"])
        self.steps = self.steps + 1
        truncated = self.steps >= self.horizon
        step = self._outcome(
            torch.zeros_like(truncated) if terminated is None else terminated, truncated
        )
        step[GROUP, "reward"] = reward.unsqueeze(-1)
        return step

    def _outcome(self, terminated: Tensor, truncated: Tensor) -> TensorDict:
        entries = self._observe()
        agent = {key: entries.pop(key) for key in ("observation", "action_mask") if key in entries}
        flags = {
            "terminated": terminated.unsqueeze(-1),
            "truncated": truncated.unsqueeze(-1),
            "done": (terminated | truncated).unsqueeze(-1),
        }
        entries[GROUP] = TensorDict(agent, (*self.batch_size, self.n_agents))
        return TensorDict({**entries, **flags}, self.batch_size, self.device)


class FamilyClass(TaskClass):
    """A task whose values are checked and whose packages may be missing.

    A family sets the class attributes and writes ``make_env``.

    Args:
        name: the task's, in capitals.
        config: every field of ``config_class``.

    Raises:
        ValueError: for unknown or missing keys, and for values that the config class refuses.
    """

    family: ClassVar[str]  # the folder of its YAML
    extra: ClassVar[str]  # of this package, which installs ``modules``
    modules: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str, config: dict[str, Any]):
        config_class = self.config_class(name)
        known = {field.name for field in fields(config_class)}
        label = f"task {self.family}/{name.lower()}"
        if unknown := config.keys() - known:
            raise ValueError(
                f"{label} has no key {', '.join(sorted(unknown))}; its keys are "
                f"{', '.join(sorted(known))}"
            )
        if missing := known - config.keys():
            raise ValueError(
                f"{label} needs a value for {', '.join(sorted(missing))}; get_task of its enum "
                "fills in what is shipped"
            )
        super().__init__(name, asdict(config_class(**config)))

    @classmethod
    @abstractmethod
    def config_class(cls, name: str) -> type:
        """The dataclass that types the values of the task with this name."""

    @abstractmethod
    def make_env(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: DEVICE_TYPING
    ) -> EnvBase:
        """The batch of environments."""

    @classmethod
    def env_name(cls) -> str:
        """The family's name."""
        return cls.family

    @classmethod
    def installed(cls) -> bool:
        """Whether the packages that the environments need are there."""
        return all(find_spec(module) is not None for module in cls.modules)

    def get_env_fun(
        self,
        num_envs: int,
        continuous_actions: bool,
        seed: int | None,
        device: DEVICE_TYPING,
    ) -> Callable[[], EnvBase]:
        """A function that makes the batch of environments.

        Raises:
            ImportError: if a package is missing, with the extra that installs it.
        """
        if not self.installed():
            raise ImportError(
                f"tasks of '{self.family}' need {' and '.join(self.modules)}: "
                f"pip install 'benchmarl-hyper[{self.extra}]'"
            )
        return lambda: self.make_env(num_envs, continuous_actions, seed, device)


class TeamClass(FamilyClass):
    """A task on a :class:`TeamEnv`."""

    continuous: ClassVar[bool] = False
    rendered: ClassVar[bool] = False

    def supports_continuous_actions(self) -> bool:
        """As the family's environments."""
        return self.continuous

    def supports_discrete_actions(self) -> bool:
        """As the family's environments."""
        return not self.continuous

    def max_steps(self, env: EnvBase) -> int:
        """The horizon."""
        return env.horizon

    def has_render(self, env: EnvBase) -> bool:
        """Whether the family's environments draw themselves."""
        return self.rendered

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        """One group."""
        return {GROUP: [f"agent_{i}" for i in range(env.n_agents)]}

    def observation_spec(self, env: EnvBase) -> Composite:
        """The agents' observations."""
        return _select(env, "observation")

    def action_mask_spec(self, env: EnvBase) -> Composite | None:
        """The agents' action masks, where there are some."""
        return _select(env, "action_mask")

    def state_spec(self, env: EnvBase) -> Composite | None:
        """The global state, where there is one."""
        spec = env.full_observation_spec_unbatched
        return Composite(state=spec["state"].clone()) if "state" in spec else None

    def info_spec(self, env: EnvBase) -> None:
        """BenchMARL wants info per group; ours is per environment, and logged all the same."""
        return None

    def action_spec(self, env: EnvBase) -> Composite:
        """The agents' actions."""
        return env.full_action_spec_unbatched


def _select(env: EnvBase, key: str) -> Composite | None:
    agents = env.full_observation_spec_unbatched[GROUP]
    if key not in agents:
        return None
    return Composite({GROUP: Composite({key: agents[key].clone()}, shape=agents.shape)})


class FamilyTask(Task):
    """Base of the enums of tasks: their YAML is ours, and may be overridden in part."""

    def get_task(self, config: dict[str, Any] | None = None) -> FamilyClass:
        """The task with the shipped values, and those of ``config`` over them."""
        shipped = _read_yaml(CONF / self.env_name() / f"{self.name.lower()}.yaml")
        return self.associated_class()(self.name, {**shipped, **(config or {})})

    def get_from_yaml(self, path: str | None = None) -> FamilyClass:
        """The task with the shipped values, and those of a YAML file over them."""
        return self.get_task(_read_yaml(Path(path)) if path is not None else None)


def _read_yaml(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text()) or {}
    values.pop("defaults", None)  # for Hydra
    return values
