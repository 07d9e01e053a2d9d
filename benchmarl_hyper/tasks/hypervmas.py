"""Dispersion and Navigation of VMAS as the paper uses them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarl.environments.vmas.common import VmasClass
from benchmarl.utils import DEVICE_TYPING
from torchrl.envs.libs.vmas import VmasEnv

from benchmarl_hyper.tasks.base import FamilyClass, FamilyTask


@dataclass
class _ScenarioConfig:
    """What every scenario has.

    Attributes:
        scenario: the scenario's name in VMAS.
        continuous_actions: whether actions may be continuous; they may always be discrete.
        max_steps: steps until an episode ends.
        n_agents: number of agents.
    """

    scenario: str
    continuous_actions: bool
    max_steps: int
    n_agents: int


@dataclass
class DispersionConfig(_ScenarioConfig):
    """Agents start at one point and must each find food of their own.

    Attributes:
        n_food: number of food items.
        food_radius: how near is near enough.
        share_reward: whether food that one finds pays everybody.
        penalise_by_time: whether every step costs.
    """

    n_food: int
    food_radius: float
    share_reward: bool
    penalise_by_time: bool


@dataclass
class NavigationConfig(_ScenarioConfig):
    """Agents travel to goals, which some of them share.

    Attributes:
        agents_with_same_goal: the first so many agents share one goal, the others have their own.
        split_goals: whether the other half shares a second goal.
        observe_all_goals: whether agents see all goals, in one order for everybody.
        shared_rew: whether progress pays everybody.
        collisions: whether agents collide.
        agent_radius: size of an agent.
        lidar_range: range of the sensor for collisions.

    Raises:
        ValueError: if more agents share a goal than there are, or agents with one goal collide.
    """

    agents_with_same_goal: int
    split_goals: bool
    observe_all_goals: bool
    shared_rew: bool
    collisions: bool
    agent_radius: float
    lidar_range: float

    def __post_init__(self) -> None:
        if not 1 <= self.agents_with_same_goal <= self.n_agents:
            raise ValueError(
                f"agents_with_same_goal must be between 1 and n_agents={self.n_agents}, got "
                f"{self.agents_with_same_goal}"
            )
        if self.agents_with_same_goal > 1 and self.collisions:
            raise ValueError(
                f"agents_with_same_goal={self.agents_with_same_goal} needs collisions=False: "
                "agents that collide cannot all reach one goal"
            )


class HyperVmasClass(FamilyClass, VmasClass):
    """BenchMARL's VMAS task, with the scenario's name among its values."""

    family = "hypervmas"
    extra = "vmas"
    modules = ("vmas",)

    @classmethod
    def config_class(cls, name: str) -> type[_ScenarioConfig]:
        """By the scenario, with which the task's name begins."""
        return DispersionConfig if name.lower().startswith("dispersion") else NavigationConfig

    def supports_continuous_actions(self) -> bool:
        """As configured: the paper's Dispersion is discrete."""
        return self.config["continuous_actions"]

    def make_env(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: DEVICE_TYPING
    ) -> VmasEnv:
        """The batch of environments."""
        return VmasEnv(
            num_envs=num_envs,
            seed=seed,
            device=device,
            categorical_actions=True,
            clamp_actions=True,
            **{**self.config, "continuous_actions": continuous_actions},
        )


class HyperVmasTask(FamilyTask):
    """Dispersion of 4 agents; Navigation to different goals, to one, and half and half."""

    DISPERSION_4 = None
    NAVIGATION_2_DIFFERENT = None
    NAVIGATION_2_SAME = None
    NAVIGATION_4_DIFFERENT = None
    NAVIGATION_4_SAME = None
    NAVIGATION_4_HALF = None
    NAVIGATION_8_DIFFERENT = None
    NAVIGATION_8_SAME = None
    NAVIGATION_8_HALF = None

    @staticmethod
    def associated_class() -> type[HyperVmasClass]:
        """The task."""
        return HyperVmasClass
