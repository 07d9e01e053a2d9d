import pytest
import torch
from tensordict import TensorDict

from benchmarl_hyper.tasks.bps import MOVES, BpsTask


def make(name="BPS_1", num_envs=500, device="cpu", **changes):
    return BpsTask[name].get_task(changes).get_env_fun(num_envs, False, 0, device)()


def total(steps):
    """Sum over agents and steps of the reward, mean over episodes."""
    return steps["next", "agents", "reward"].sum((1, 2, 3)).mean().item()


def greedy(env):
    """Knows the groups: along the axis that is farther off, against the velocity's carry."""
    td = env.reset()
    rewards = []
    for _ in range(env.horizon):
        target = env.landmark[:, env.group]
        moves = torch.tensor(MOVES)
        velocity = 0.75 * env.velocity.unsqueeze(2) + 0.5 * moves
        # Where each move ends if the agent then glides: velocity falls by a quarter each step.
        end = env.position.unsqueeze(2) + 0.1 * velocity * 4
        action = (end - target.unsqueeze(2)).norm(dim=-1).argmin(-1)
        td = env.step(TensorDict({"agents": {"action": action}}, env.batch_size))["next"]
        rewards.append(td["agents", "reward"].sum((1, 2)))
    return torch.stack(rewards).sum(0).mean().item()


@pytest.mark.parametrize(
    ("name", "random_play", "knowing"), [("BPS_1", -930, -209), ("BPS_2", -1870, -423)]
)
def test_random_and_greedy_play_earn_what_they_should(name, random_play, knowing):
    env = make(name)
    assert total(env.rollout(50)) == pytest.approx(random_play, rel=0.04)
    assert greedy(env) == pytest.approx(knowing, rel=0.06)


@pytest.mark.parametrize(
    ("name", "n_agents", "n_features"),
    [("BPS_1", 15, 10), ("BPS_2", 30, 10), ("BPS_3", 30, 14), ("BPS_4", 30, 14)],
)
def test_sizes(name, n_agents, n_features):
    observation = make(name, 2).reset()["agents", "observation"]
    assert observation.shape == (2, n_agents, n_features)


def test_motion_and_reward_by_hand():
    env = make(num_envs=1, groups=[1, 1])
    env.reset()
    env.position = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    env.velocity = torch.tensor([[[0.4, 0.0], [0.0, 0.0]]])
    env.landmark = torch.tensor([[[2.0, 0.0], [1.0, -2.0]]])
    action = torch.tensor([[2, 3]])  # +x, -y
    step = env.step(TensorDict({"agents": {"action": action}}, [1]))["next"]
    expected = torch.tensor(
        [  # velocity, position, and both landmarks as seen from there
            [0.8, 0.0, 0.08, 0.0, 1.92, 0.0, 0.92, -2.0],
            [0.0, -0.5, 1.0, 0.95, 1.0, -0.95, 0.0, -2.95],
        ]
    )
    torch.testing.assert_close(step["agents", "observation"][0], expected)
    torch.testing.assert_close(
        step["agents", "reward"].flatten(), torch.tensor([-0.5 * 1.92, -0.5 * 2.95])
    )


def test_start_positions_and_landmarks():
    env = make()
    env.reset()
    assert not env.velocity.any()
    assert 0.99 < env.position.abs().max() <= 1
    assert 2.99 < env.landmark.abs().max() <= 3
    landmark = env.landmark.clone()
    env.step(env.rand_action(env.reset()))
    assert not torch.equal(env.landmark, landmark)  # a new episode
    landmark = env.landmark.clone()
    env.step(env.rand_action(TensorDict(batch_size=env.batch_size)))
    assert torch.equal(env.landmark, landmark)


def test_shuffled_observations_hold_the_same_entries_in_one_order_per_group():
    plain, shuffled = make(num_envs=4), make(num_envs=4, shuffle_obs=True)
    a, b = (env.reset()["agents", "observation"] for env in (plain, shuffled))
    torch.testing.assert_close(a.sort(-1).values, b.sort(-1).values)
    assert not torch.equal(a, b)
    orders = [tuple(row) for row in shuffled.order.tolist()]
    assert len(set(orders)) == 3
    assert orders == sorted(orders, key=orders.index)
    assert all(len(set(orders[i : i + 5])) == 1 for i in (0, 5, 10))


def test_picture_shows_every_group():
    env = make(num_envs=1)
    env.reset()
    picture = env.render()
    assert picture.shape == (256, 256, 3)
    assert (picture != 255).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": []}, r"groups must be positive numbers of agents, got \[\]"),
        ({"groups": [3, 0]}, r"groups must be positive numbers of agents, got \[3, 0\]"),
        ({"horizon": 0}, "horizon must be positive, got 0"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        BpsTask.BPS_1.get_task(changes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    steps = make(num_envs=8, device="cuda").rollout(5)
    assert steps["next", "agents", "reward"].device.type == "cuda"
