"""The paper's scenarios as BenchMARL tasks, one family per file."""

from benchmarl_hyper.tasks.base import FamilyTask
from benchmarl_hyper.tasks.games import GamesTask

TASKS: tuple[FamilyTask, ...] = (*GamesTask,)
