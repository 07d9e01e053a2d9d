"""List the tasks: ``python -m benchmarl_hyper.tasks [FAMILY ...]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from torchrl.data import Categorical

from benchmarl_hyper.tasks import TASKS
from benchmarl_hyper.tasks.base import FamilyTask
from benchmarl_hyper.terminal import table

HEADER = ["task", "agents", "observation", "actions", "steps", "extra", "installed"]


def row(task: FamilyTask) -> list[str]:
    """Return a task's row of the table, as its environment describes it.

    If the packages of the task are missing, the cells that need them are dashes.
    """
    task_class, team = task.associated_class(), task.get_task()
    name = f"{team.family}/{task.name.lower()}"
    extra = getattr(task_class, "extra", "-")
    if not task_class.installed():
        return [name, "-", "-", "-", "-", extra, "no"]
    env = team.get_env_fun(1, team.supports_continuous_actions(), 0, "cpu")()
    ((group, agents),) = team.group_map(env).items()
    action = team.action_spec(env)[group, "action"]
    discrete = isinstance(action, Categorical)
    actions = str(action.space.n) if discrete else f"{action.shape[-1]} continuous"
    features = team.observation_spec(env)[group, "observation"].shape[-1]
    steps = team.max_steps(env)
    env.close()
    return [name, str(len(agents)), str(features), actions, str(steps), extra, "yes"]


def main(families: Sequence[str]) -> None:
    """Print a table of tasks.

    Args:
        families: names of the families to list; empty for all.

    Raises:
        SystemExit: if a family is unknown; the message lists the known ones.
    """
    known = {task.associated_class().family for task in TASKS}
    if unknown := set(families) - known:
        raise SystemExit(
            f"unknown family {', '.join(sorted(unknown))}; the known families are "
            f"{', '.join(sorted(known))}"
        )
    chosen = [task for task in TASKS if task.associated_class().family in (families or known)]
    print(table([HEADER, *map(row, chosen)]))


if __name__ == "__main__":
    main(sys.argv[1:])
