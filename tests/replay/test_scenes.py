from types import SimpleNamespace

import pytest
import torch
from matplotlib.figure import Figure
from support.tiny_task import TinyClass, tiny_task
from torchrl.envs import Compose, TransformedEnv

from benchmarl_hyper.replay.bodies import Bodies
from benchmarl_hyper.replay.games import Choices
from benchmarl_hyper.replay.scenes import Screen, scene_of
from benchmarl_hyper.tasks.bps import BpsTask
from benchmarl_hyper.tasks.games import GamesTask


def opened(task):
    """What a scene is made of, in place of an experiment."""
    env = TransformedEnv(task.get_env_fun(2, False, 0, "cpu")(), Compose())
    return SimpleNamespace(
        test_env=env, task=task, environment_name=task.env_name(), task_name=task.name.lower()
    ), env.reset()


def test_bps_has_a_disc_per_agent_and_landmark_in_the_colours_of_groups():
    run, state = opened(BpsTask.BPS_1.get_task())
    scene = scene_of(run, state)
    assert isinstance(scene, Bodies)
    env = run.test_env.base_env
    landmarks = [body for body in scene.bodies if body.layer == "ground"]
    agents = [body for body in scene.bodies if body.layer == "agent"]
    assert [list(body.position) for body in landmarks] == env.landmark[0].tolist()
    assert [list(body.position) for body in agents] == env.position[0].tolist()
    assert [b.colour for b in agents] == [landmarks[group].colour for group in env.group.tolist()]
    assert len({body.colour for body in landmarks}) == 3


def test_games_have_choices():
    assert isinstance(scene_of(*opened(GamesTask.SPECIALISATION_2.get_task())), Choices)


class RenderedClass(TinyClass):
    """A task that draws itself: a red picture, which is two pixels high and three wide."""

    rendered = True

    @staticmethod
    def render_callback(experiment, env, data):
        return torch.tensor([255, 0, 0]).expand(2, 3, 3)


def test_others_draw_themselves():
    scene = scene_of(*opened(RenderedClass("PLACE", {})))
    assert isinstance(scene, Screen)
    assert scene.view() == (0, 3, 0, 2)
    assert scene == scene_of(*opened(RenderedClass("PLACE", {})))
    axes = Figure().add_subplot()
    scene.draw(axes, [])
    (image,) = axes.images
    assert image.get_array()[1, 2].tolist() == [255, 0, 0]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(
        ValueError,
        match=r"task tiny/place cannot be drawn, because .* what can be drawn are VMAS scen",
    ):
        scene_of(*opened(tiny_task()))
