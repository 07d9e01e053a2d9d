"""All tasks of all families."""

from benchmarl_hyper.tasks.base import FamilyTask
from benchmarl_hyper.tasks.bps import BpsTask
from benchmarl_hyper.tasks.games import GamesTask
from benchmarl_hyper.tasks.hypervmas import HyperVmasTask
from benchmarl_hyper.tasks.mamujoco import MamujocoTask
from benchmarl_hyper.tasks.smax import SmaxTask

TASKS: tuple[FamilyTask, ...] = (
    *GamesTask,
    *HyperVmasTask,
    *BpsTask,
    *MamujocoTask,
    *SmaxTask,
)
