"""The paper's scenarios as BenchMARL tasks, one family per file."""

from benchmarl_hyper.tasks.base import FamilyTask
from benchmarl_hyper.tasks.bps import BpsTask
from benchmarl_hyper.tasks.games import GamesTask
from benchmarl_hyper.tasks.hypervmas import HyperVmasTask

TASKS: tuple[FamilyTask, ...] = (
    *GamesTask,
    *HyperVmasTask,
    *BpsTask,
)
