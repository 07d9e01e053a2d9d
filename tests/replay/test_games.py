import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from benchmarl_hyper.replay.colours import palette
from benchmarl_hyper.replay.games import Choices, choices
from benchmarl_hyper.tasks.games import GamesTask


def filled(scene, past=()):
    """Rows, columns and colours of filled cells, and how strongly they are filled."""
    axes = Figure().add_subplot()
    scene.draw(axes, past)
    cells = [patch for patch in axes.patches if patch.get_facecolor()[3] > 0]
    for cell in cells:
        box = cell.get_path().get_extents()
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        yield round(-y - 0.5), round(x - 0.5), to_hex(cell.get_facecolor()), cell.get_alpha()


def test_before_the_first_step_no_cell_is_filled():
    assert list(filled(Choices((-1, -1), 3))) == []


@pytest.mark.parametrize("actions", [(2,), (0, 2), (1, 1, 0)])
def test_each_agent_fills_the_cell_of_its_action(actions):
    expected = [(i, a, palette(len(actions))[i], 1.0) for i, a in enumerate(actions)]
    assert list(filled(Choices(actions, 3))) == expected


def test_earlier_actions_fade():
    past = [Choices((action,), 4) for action in (0, 1, 2)]
    assert [(column, s) for _, column, _, s in filled(Choices((3,), 4), past)] == [
        (1, 0.15),
        (2, 0.3),
        (3, 1.0),
    ]


def test_the_view_holds_grid_and_labels():
    left, right, bottom, top = Choices((0, 1), 3).view()
    assert (right, bottom) == (3, -2)
    assert left < 0 < top


def test_actions_come_from_the_first_environment():
    task = GamesTask.SPECIALISATION_2.get_task({"num_actions": 5})
    env = task.get_env_fun(3, False, 0, "cpu")()
    state = env.reset()
    assert choices(env) == Choices((-1, -1), 5)
    state["agents", "action"] = torch.tensor([[4, 1], [0, 0], [2, 2]])
    env.step(state)
    assert choices(env) == Choices((4, 1), 5)
