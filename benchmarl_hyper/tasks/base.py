"""Base classes of our tasks: checked values, optional packages, and BenchMARL's interface."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar

from benchmarl.environments.common import Task, TaskClass
from benchmarl.utils import DEVICE_TYPING
from torchrl.data import Composite
from torchrl.envs import EnvBase

from benchmarl_hyper.conf_files import CONF, typed_values
from benchmarl_hyper.tasks import listing
from benchmarl_hyper.tasks.team_env import GROUP, TeamEnv


class FamilyClass(TaskClass):
    """A task whose values are checked and whose packages may be missing.

    A family sets the class attributes and implements ``make_env``.

    Args:
        name: the task's name, in capitals.
        config: a value for every field of the task's config class.

    Raises:
        ValueError: if keys are unknown or missing, or if the config class refuses a value.
    """

    family: ClassVar[str]  # also the name of the folder with the family's YAML files
    conf: ClassVar[Path] = CONF  # the folder that has the shipped values in task/<family>
    extra: ClassVar[str]  # the extra of this package that installs ``modules``
    modules: ClassVar[tuple[str, ...]] = ()
    config_type: ClassVar[type]  # set it where one dataclass types all tasks of the family

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
                f"{label} needs a value for {', '.join(sorted(missing))}; use get_task of "
                "the task's enum, which fills in the shipped values"
            )
        super().__init__(name, asdict(config_class(**config)))

    @classmethod
    def config_class(cls, name: str) -> type:
        """Return the dataclass that types the values of the task with this name."""
        return cls.config_type

    @abstractmethod
    def make_env(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: DEVICE_TYPING
    ) -> EnvBase:
        """Build ``num_envs`` environments as one batched environment."""

    @classmethod
    def env_name(cls) -> str:
        """Return the family's name, which results record as the environment."""
        return cls.family

    @classmethod
    def installed(cls) -> bool:
        """Return whether the packages that the environments need are installed."""
        return listing.installed(cls.modules)

    def get_env_fun(
        self,
        num_envs: int,
        continuous_actions: bool,
        seed: int | None,
        device: DEVICE_TYPING,
    ) -> Callable[[], EnvBase]:
        """Return a function that builds the batched environment.

        Raises:
            ImportError: if a package is missing; the message names the extra that installs it.
        """
        if not self.installed():
            raise ImportError(
                f"tasks of '{self.family}' need {' and '.join(self.modules)}; run: "
                f"pip install 'benchmarl-hyper[{self.extra}]'"
            )
        return lambda: self.make_env(num_envs, continuous_actions, seed, device)


class TeamClass(FamilyClass):
    """A task whose environment is a :class:`TeamEnv`.

    ``env_type`` is called with the task's config and with ``num_envs``, ``seed`` and ``device``.
    """

    env_type: ClassVar[Callable[..., TeamEnv]]
    continuous: ClassVar[bool] = False
    rendered: ClassVar[bool] = False

    def make_env(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: DEVICE_TYPING
    ) -> TeamEnv:
        """Build the batched environment from the task's config."""
        config = self.config_class(self.name)(**self.config)
        return type(self).env_type(config, num_envs=num_envs, seed=seed, device=device)

    def supports_continuous_actions(self) -> bool:
        """Return whether the family's environments have continuous actions."""
        return self.continuous

    def supports_discrete_actions(self) -> bool:
        """Return whether the family's environments have discrete actions."""
        return not self.continuous

    def max_steps(self, env: EnvBase) -> int:
        """Return the horizon: the number of steps after which an episode is truncated."""
        return env.horizon

    def has_render(self, env: EnvBase) -> bool:
        """Return whether the family's environments can be rendered."""
        return self.rendered

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        """Return the names of the agents, all in one group."""
        return {GROUP: [f"agent_{i}" for i in range(env.n_agents)]}

    def observation_spec(self, env: EnvBase) -> Composite:
        """Return the spec of the agents' observations."""
        return _select(env, "observation")

    def action_mask_spec(self, env: EnvBase) -> Composite | None:
        """Return the spec of the agents' action masks; None for tasks without masks."""
        return _select(env, "action_mask")

    def state_spec(self, env: EnvBase) -> Composite | None:
        """Return the spec of the global state; None for tasks without one."""
        spec = env.full_observation_spec_unbatched
        return Composite(state=spec["state"].clone()) if "state" in spec else None

    def info_spec(self, env: EnvBase) -> None:
        """Return None, because BenchMARL expects info per group and ours is per environment.

        Our info is logged all the same.
        """
        return None

    def action_spec(self, env: EnvBase) -> Composite:
        """Return the spec of the agents' actions."""
        return env.full_action_spec_unbatched


def _select(env: EnvBase, key: str) -> Composite | None:
    agents = env.full_observation_spec_unbatched[GROUP]
    if key not in agents:
        return None
    return Composite({GROUP: Composite({key: agents[key].clone()}, shape=agents.shape)})


class FamilyTask(Task):
    """Base class of the enums of tasks, whose values this package ships as YAML files.

    Both methods accept values that override some or all of the shipped ones.
    """

    def get_task(self, config: dict[str, Any] | None = None) -> FamilyClass:
        """Return the task with the shipped values, overridden by those of ``config``."""
        return self.associated_class()(self.name, {**self._values(), **(config or {})})

    def get_from_yaml(self, path: str | None = None) -> FamilyClass:
        """Return the task with the shipped values, overridden by those of a YAML file.

        Args:
            path: a YAML file with any of the keys; None for the shipped values alone.

        Raises:
            ValueError: if a key is unknown, or if a value does not have its type or is refused; the
                message names the file and the key.
        """
        values = self._values(path)
        try:
            return self.get_task(values)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def _values(self, path: str | None = None) -> dict[str, Any]:
        task_class = self.associated_class()
        shipped = task_class.conf / "task" / self.env_name() / f"{self.name.lower()}.yaml"
        return typed_values(task_class.config_class(self.name), shipped, path)
