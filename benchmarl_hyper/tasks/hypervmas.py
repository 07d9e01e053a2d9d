"""VMAS's Dispersion and Navigation, as the paper uses them, and Coverage, which is ours."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarl.environments.vmas.common import VmasClass
from benchmarl.utils import DEVICE_TYPING
from torchrl.envs.libs.vmas import VmasEnv

from benchmarl_hyper.tasks.base import FamilyClass, FamilyTask
from benchmarl_hyper.tasks.coverage import coverage
from benchmarl_hyper.tasks.listing import EXTRAS


@dataclass
class _ScenarioConfig:
    """Values that both VMAS scenarios have.

    Attributes:
        scenario: VMAS's name of the scenario.
        continuous_actions: whether actions may be continuous; they may always be discrete.
        max_steps: maximum number of steps of an episode.
        n_agents: number of agents.
    """

    scenario: str
    continuous_actions: bool
    max_steps: int
    n_agents: int


@dataclass
class DispersionConfig(_ScenarioConfig):
    """Values of Dispersion: agents start at one point and must each find food of their own.

    Attributes:
        n_food: number of food items.
        food_radius: radius of a food item; an agent eats it by touching it.
        share_reward: whether every agent is rewarded for food that any agent eats.
        penalise_by_time: whether an agent's reward is -0.01 at steps where it would be 0.
    """

    n_food: int
    food_radius: float
    share_reward: bool
    penalise_by_time: bool


@dataclass
class NavigationConfig(_ScenarioConfig):
    """Values of Navigation: agents travel to goals, which some of them may share.

    Attributes:
        agents_with_same_goal: number of agents, from the first, that share one goal; every other
            agent has its own goal.
        split_goals: whether the other half of the agents shares a second goal.
        observe_all_goals: whether every agent sees all goals, in the same order for all agents; if
            False, each agent sees only its own goal.
        shared_rew: whether every agent is rewarded for the progress of all agents.
        collisions: whether agents collide.
        agent_radius: radius of an agent.
        lidar_range: range of the sensor that detects other agents, which agents have only if they
            collide.

    Raises:
        ValueError: if ``agents_with_same_goal`` is not between 1 and ``n_agents``, or if agents
            that share a goal collide.
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
                f"agents_with_same_goal={self.agents_with_same_goal} needs collisions=False, "
                "because agents that collide cannot all reach one goal"
            )


@dataclass
class CoverageConfig(_ScenarioConfig):
    """Values of Coverage: agents of different abilities cover goals together.

    Attributes:
        n_goals: number of goals.
        speeds: range from which every agent draws its speed at the start of an episode.
        radii: range from which it draws its radius.
        observe_team: whether agents observe the others and their abilities.

    Raises:
        ValueError: if there are no agents or goals, or if a range is not two positive numbers, the
            smaller one first.
    """

    n_goals: int
    speeds: list[float]
    radii: list[float]
    observe_team: bool

    def __post_init__(self) -> None:
        if min(self.n_agents, self.n_goals) < 1:
            raise ValueError(
                f"n_agents and n_goals must be positive, got {self.n_agents} and {self.n_goals}"
            )
        for name in ("speeds", "radii"):
            ends = list(getattr(self, name))
            if len(ends) != 2 or not 0 < ends[0] <= ends[1]:
                raise ValueError(
                    f"{name} must be a range of two positive numbers, the smaller one first, got "
                    f"{ends}; for one value, give it twice"
                )


CONFIG_CLASSES = {
    "dispersion": DispersionConfig,
    "navigation": NavigationConfig,
    "coverage": CoverageConfig,
}


class HyperVmasClass(FamilyClass, VmasClass):
    """BenchMARL's VMAS task, with the name of the scenario among its values."""

    family = "hypervmas"
    extra, modules = EXTRAS[family]
    seeds_at_once = True

    @classmethod
    def config_class(cls, name: str) -> type[_ScenarioConfig]:
        """Return the config class of the scenario with which the task's name begins."""
        return CONFIG_CLASSES[name.lower().partition("_")[0]]

    def supports_continuous_actions(self) -> bool:
        """Return ``continuous_actions`` of the config; the paper's Dispersion is discrete."""
        return self.config["continuous_actions"]

    def make_env(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: DEVICE_TYPING
    ) -> VmasEnv:
        """Build ``num_envs`` environments as one batched environment."""
        values = {**self.config, "continuous_actions": continuous_actions}
        if values["scenario"] == "coverage":
            values["scenario"] = coverage()
        return VmasEnv(
            num_envs=num_envs,
            seed=seed,
            device=device,
            categorical_actions=True,
            clamp_actions=True,
            **values,
        )


class HyperVmasTask(FamilyTask):
    """Dispersion with 4 agents, Navigation with 2, 4 and 8, and Coverage with 4.

    The goals of Navigation are different, the same for all agents, or the same for half of them.
    """

    DISPERSION_4 = None
    NAVIGATION_2_DIFFERENT = None
    NAVIGATION_2_SAME = None
    NAVIGATION_4_DIFFERENT = None
    NAVIGATION_4_SAME = None
    NAVIGATION_4_HALF = None
    NAVIGATION_8_DIFFERENT = None
    NAVIGATION_8_SAME = None
    NAVIGATION_8_HALF = None
    COVERAGE_4 = None

    @staticmethod
    def associated_class() -> type[HyperVmasClass]:
        """Return the class of these tasks."""
        return HyperVmasClass
