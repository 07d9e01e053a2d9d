import pytest
import torch
from support.extras import needs

from benchmarl_hyper.tasks.hypervmas import HyperVmasTask

pytestmark = needs("vmas")


def make(name, num_envs=2):
    task = HyperVmasTask[name].get_task()
    return task.get_env_fun(num_envs, task.supports_continuous_actions(), 0, "cpu")()


def test_dispersion_is_discrete_and_all_agents_start_alike():
    env = make("DISPERSION_4")
    assert env.full_action_spec_unbatched["agents", "action"].space.n == 9
    observation = env.reset()["agents", "observation"]
    assert observation.shape == (2, 4, 16)
    assert (observation == observation[:, :1]).all()


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("kind", ["different", "same", "half"])
def test_navigation_has_the_goals_that_its_name_says(n, kind):
    if (n, kind) == (2, "half"):
        assert "NAVIGATION_2_HALF" not in HyperVmasTask.__members__
        return
    env = make(f"NAVIGATION_{n}_{kind.upper()}")
    observation = env.reset()["agents", "observation"]
    assert observation.shape == (2, n, 4 + 2 * n)
    goals = torch.stack([agent.goal.state.pos for agent in env.agents], dim=1)[0]
    n_goals = {"different": n, "same": 1, "half": n // 2 + 1}[kind]
    assert len(goals.unique(dim=0)) == n_goals
    # Everybody sees all goals in one order: position plus offset is the same point for all agents.
    seen = observation[0, :, :2].unsqueeze(1) - observation[0, :, 4:].unflatten(-1, (n, 2))
    torch.testing.assert_close(seen, goals.expand(n, n, 2))


def test_dispersion_may_be_continuous():
    task = HyperVmasTask.DISPERSION_4.get_task({"continuous_actions": True})
    assert task.supports_continuous_actions()
    assert task.supports_discrete_actions()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agents_with_same_goal": 5}, "must be between 1 and n_agents=4, got 5"),
        ({"agents_with_same_goal": 0}, "must be between 1 and n_agents=4, got 0"),
        ({"agents_with_same_goal": 4, "collisions": True}, "needs collisions=False"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        HyperVmasTask.NAVIGATION_4_DIFFERENT.get_task(changes)
