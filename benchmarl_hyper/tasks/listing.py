"""The sizes of the tasks, for readers who wait for no environment to be built."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple


class Row(NamedTuple):
    """A task as its environment describes it; a test builds every environment and compares.

    Attributes:
        name: BenchMARL's name of the task.
        agents: the number of agents.
        observation: the length of an agent's observation.
        actions: the number of an agent's actions, or of its dimensions.
        steps: the number of steps after which an episode is truncated.
    """

    name: str
    agents: int
    observation: int
    actions: str
    steps: int


ROWS = (
    Row("games/specialisation_2", 2, 4, "2", 20),
    Row("games/specialisation_4", 4, 16, "4", 20),
    Row("games/specialisation_8", 8, 64, "8", 20),
    Row("games/specialisation_16", 16, 256, "16", 20),
    Row("games/synchronisation_2", 2, 4, "2", 20),
    Row("games/synchronisation_4", 4, 16, "4", 20),
    Row("games/synchronisation_8", 8, 64, "8", 20),
    Row("games/synchronisation_16", 16, 256, "16", 20),
    Row("hypervmas/dispersion_4", 4, 16, "9", 100),
    Row("hypervmas/navigation_2_different", 2, 8, "2 continuous", 100),
    Row("hypervmas/navigation_2_same", 2, 8, "2 continuous", 100),
    Row("hypervmas/navigation_4_different", 4, 12, "2 continuous", 100),
    Row("hypervmas/navigation_4_same", 4, 12, "2 continuous", 100),
    Row("hypervmas/navigation_4_half", 4, 12, "2 continuous", 100),
    Row("hypervmas/navigation_8_different", 8, 20, "2 continuous", 100),
    Row("hypervmas/navigation_8_same", 8, 20, "2 continuous", 100),
    Row("hypervmas/navigation_8_half", 8, 20, "2 continuous", 100),
    Row("hypervmas/coverage_4", 4, 26, "2 continuous", 100),
    Row("bps/bps_1", 15, 10, "5", 50),
    Row("bps/bps_2", 30, 10, "5", 50),
    Row("bps/bps_3", 30, 14, "5", 50),
    Row("bps/bps_4", 30, 14, "5", 50),
    Row("mamujoco/humanoid_17x1", 17, 348, "1 continuous", 1000),
    Row("mamujoco/walker2d_2x3", 2, 17, "3 continuous", 1000),
    Row("mamujoco/halfcheetah_2x3", 2, 17, "3 continuous", 1000),
    Row("mamujoco/ant_4x2", 4, 105, "2 continuous", 1000),
    Row("mamujoco/swimmer_10x2", 10, 44, "2 continuous", 1000),
    Row("smax/2s3z", 5, 127, "10", 100),
    Row("smax/3s5z", 8, 205, "13", 100),
    Row("smax/smacv2_10_units", 10, 257, "15", 100),
    Row("smax/smacv2_20_units", 20, 517, "25", 100),
)

# The extra of this package that a family needs, and the modules that the extra installs
EXTRAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hypervmas": ("vmas", ("vmas",)),
    "mamujoco": ("mujoco", ("gymnasium_robotics", "mujoco")),
    "smax": ("smax", ("jax", "jaxmarl")),
}


def family(row: Row) -> str:
    """Return the family of a task, the first part of its name."""
    return row.name.partition("/")[0]


def installed(modules: tuple[str, ...]) -> bool:
    """Return whether modules can be imported. Nothing is imported for this."""
    return all(find_spec(module) is not None for module in modules)
