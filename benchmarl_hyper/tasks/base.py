"""What our tasks share: checked values, packages that may be missing, BenchMARL's view of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from benchmarl.environments.common import Task, TaskClass
from benchmarl.utils import DEVICE_TYPING
from torchrl.data import Composite
from torchrl.envs import EnvBase

from benchmarl_hyper.conf_files import CONF, read_yaml
from benchmarl_hyper.tasks.team_env import GROUP, TeamEnv


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
    config_type: ClassVar[type]  # where one dataclass types all of the family's tasks

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
    def config_class(cls, name: str) -> type:
        """The dataclass that types the values of the task with this name."""
        return cls.config_type

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
    """A task on a :class:`TeamEnv` that is made of the config and the arguments of its base."""

    env_type: ClassVar[Callable[..., TeamEnv]]
    continuous: ClassVar[bool] = False
    rendered: ClassVar[bool] = False

    def make_env(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: DEVICE_TYPING
    ) -> TeamEnv:
        """The batch of environments."""
        config = self.config_class(self.name)(**self.config)
        return type(self).env_type(config, num_envs=num_envs, seed=seed, device=device)

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
        shipped = read_yaml(CONF / "task" / self.env_name() / f"{self.name.lower()}.yaml")
        return self.associated_class()(self.name, {**shipped, **(config or {})})

    def get_from_yaml(self, path: str | None = None) -> FamilyClass:
        """The task with the shipped values, and those of a YAML file over them."""
        return self.get_task(read_yaml(Path(path)) if path is not None else None)
