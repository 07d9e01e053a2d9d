import pytest
import torch
from benchmarl.environments import VmasTask
from matplotlib.figure import Figure
from support.extras import needs

from benchmarl_hyper.replay.vmas import vmas_bodies
from benchmarl_hyper.tasks.hypervmas import HyperVmasTask

pytestmark = needs("vmas")


def env_of(task):
    torch.manual_seed(0)
    env = task.get_env_fun(2, task.supports_continuous_actions(), 0, "cpu")()
    env.reset()
    return env


def of_layer(scene, layer):
    return [body for body in scene.bodies if body.layer == layer]


@pytest.mark.parametrize("task", VmasTask, ids=lambda task: task.name)
def test_every_scenario_is_drawn(task):
    """Of the first world, as the second one may have other colours and hidden bodies."""
    env = env_of(task.get_from_yaml())
    scene = vmas_bodies(env)
    agents = of_layer(scene, "agent")
    assert [body.name for body in agents] == [agent.name for agent in env.world.agents]
    assert len({body.name for body in scene.bodies}) == len(scene.bodies)
    assert [body.position for body in agents] == [
        tuple(agent.state.pos[0].tolist()) for agent in env.world.agents
    ]
    colours = {
        group: {b.colour for b in agents if b.name in env.group_map[group]}
        for group in env.group_map
    }
    if len(colours) == 1:
        assert len(colours[next(iter(colours))]) == sum(map(len, env.group_map.values()))
    else:
        assert all(len(each) == 1 for each in colours.values())
        assert len(set().union(*colours.values())) == len(colours)
    left, right, bottom, top = scene.view()
    assert all(left <= b.position[0] <= right for b in agents)
    assert all(bottom <= b.position[1] <= top for b in agents)
    axes = Figure().add_subplot()
    axes.set_xlim(left, right)
    scene.draw(axes, [scene])
    assert len(axes.patches) >= len(scene.bodies)


def test_goals_have_the_colours_of_their_agents():
    scene = vmas_bodies(env_of(HyperVmasTask.NAVIGATION_4_HALF.get_task()))
    colours = {body.name: body.colour for body in of_layer(scene, "agent")}
    goals = {body.name: body for body in of_layer(scene, "ground")}
    assert len(goals) == 4
    for i in range(4):
        assert goals[f"goal of agent_{i}"].colour == colours[f"agent_{i}"]
    assert goals["goal of agent_0"].position == goals["goal of agent_1"].position
    assert goals["goal of agent_0"].position != goals["goal of agent_2"].position


def test_food_that_is_eaten_disappears():
    env = env_of(HyperVmasTask.DISPERSION_4.get_task())
    food, other = env.world.landmarks[:2]
    food.is_rendering[0], other.is_rendering[1] = False, False
    names = {body.name for body in vmas_bodies(env).bodies}
    assert food.name not in names
    assert other.name in names


def test_what_is_parked_outside_of_the_world_is_left_out():
    env = env_of(VmasTask.DISCOVERY.get_from_yaml())
    target = env.world.landmarks[0]
    assert target.name in {body.name for body in vmas_bodies(env).bodies}
    target.state.pos = torch.full_like(target.state.pos, -100.0)
    assert target.name not in {body.name for body in vmas_bodies(env).bodies}
