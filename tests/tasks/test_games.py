import pytest
import torch
from tensordict import TensorDict

from benchmarl_hyper.tasks.games import GameConfig, GameEnv, GamesTask


def game(name, n_agents=4, num_envs=1, device="cpu", **changes):
    config = {"num_actions": None, "temporal": True, "horizon": 20, **changes}
    return GameEnv(GameConfig(name, n_agents, **config), num_envs=num_envs, seed=0, device=device)


def play(env, actions):
    """One step of the same joint action everywhere."""
    action = torch.tensor(actions).expand(*env.batch_size, -1)
    td = TensorDict({"agents": {"action": action}}, env.batch_size)
    return env.step(td)["next"]


@pytest.mark.parametrize(
    ("name", "actions", "rewards"),
    [
        ("specialisation", [1, 1, 2, 3], [1 / 2, 1 / 2, 1, 1]),
        ("synchronisation", [1, 1, 2, 3], [1 / 3, 1 / 3, 1 / 4, 1 / 4]),
        ("specialisation", [2, 2, 2, 2], [1 / 4] * 4),
        ("synchronisation", [2, 2, 2, 2], [1] * 4),
        ("specialisation", [3, 1, 0, 2], [1] * 4),
    ],
)
def test_payoffs(name, actions, rewards):
    env = game(name)
    env.reset()
    torch.testing.assert_close(
        play(env, actions)["agents", "reward"].flatten(), torch.tensor(rewards).float()
    )


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_uniform_play_earns_what_theory_says(n):
    """1 - (1 - 1/n)^n in Specialisation; in Synchronisation .750, .332, .143 and .067."""
    expected = {
        "specialisation": 1 - (1 - 1 / n) ** n,
        "synchronisation": {2: 0.750, 4: 0.332, 8: 0.143, 16: 0.067}[n],
    }
    for name, value in expected.items():
        rewards = game(name, n, num_envs=2000).rollout(20)["next", "agents", "reward"]
        assert rewards.mean().item() == pytest.approx(value, abs=2e-3)


def test_everybody_sees_the_previous_joint_action():
    env = game("specialisation", 3)
    first = env.reset()
    assert (first["agents", "observation"] == -1).all()
    assert (first["state"] == -1).all()
    step = play(env, [2, 0, 0])
    expected = torch.tensor([0, 0, 1, 1, 0, 0, 1, 0, 0]).float()
    assert (step["agents", "observation"] == expected).all()
    assert torch.equal(step["state"][0], expected)


@pytest.mark.parametrize(
    ("name", "actions", "converged"),
    [
        ("specialisation", [1, 0, 2], 1.0),
        ("specialisation", [1, 0, 1], 0.0),
        ("synchronisation", [1, 1, 1], 1.0),
        ("synchronisation", [1, 1, 2], 0.0),
    ],
)
def test_converged_when_all_differ_or_all_agree(name, actions, converged):
    env = game(name, 3)
    assert env.reset()["info", "converged"].item() == 0
    assert play(env, actions)["info", "converged"].item() == converged


def test_episodes_are_truncated_at_the_horizon():
    steps = game("synchronisation", 2, horizon=3).rollout(10)["next"]
    assert steps["truncated"].flatten().tolist() == [False, False, True]
    assert not steps["terminated"].any()


def test_one_shot():
    steps = game("specialisation", 3, temporal=False).rollout(10)
    assert steps.batch_size == (1, 1)
    assert not steps["agents", "observation"].any()
    assert steps["next", "truncated"].all()


def test_more_actions_than_agents():
    env = game("specialisation", 2, num_actions=5)
    assert env.full_action_spec_unbatched["agents", "action"].space.n == 5
    assert env.reset()["agents", "observation"].shape == (1, 2, 10)


def test_picture_has_a_square_per_agent():
    env = game("specialisation", 3)
    env.reset()
    assert (env.render() == 255).all()
    play(env, [2, 0, 0])
    inked = (env.render() != 255).any(-1)
    assert inked.shape == (48, 48)
    assert [[inked[16 * i + 8, 16 * j + 8] for j in range(3)] for i in range(3)] == [
        [False, False, True],
        [True, False, False],
        [True, False, False],
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"game": "chicken"}, "game must be one of specialisation, synchronisation, got 'chicken'"),
        ({"n_agents": 0}, "n_agents must be positive, got 0"),
        ({"horizon": -1}, "horizon must be positive, got -1"),
        ({"num_actions": 0}, "num_actions must be positive, got 0"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        GamesTask.SPECIALISATION_4.get_task(changes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    steps = game("specialisation", num_envs=8, device="cuda").rollout(5)
    assert steps["next", "agents", "reward"].device.type == "cuda"
