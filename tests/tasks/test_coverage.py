"""Coverage: abilities that differ, are observed, and count."""

import pytest
import torch
from support.benchmarl_requests import config_of
from support.experiments import experiment
from support.extras import needs
from support.run_folders import checkpoint_in
from tensordict import TensorDict

from benchmarl_hyper.export.larger_teams import add_agents
from benchmarl_hyper.running.experiment_parts import policy_model
from benchmarl_hyper.tasks.hypervmas import HyperVmasTask

pytestmark = needs("vmas")


def task(**changes):
    return HyperVmasTask.COVERAGE_4.get_task({"max_steps": 4, **changes})


def env_of(num_envs=3, **changes):
    return task(**changes).get_env_fun(num_envs, True, 0, "cpu")()


def moved(env, force=1.0):
    """Positions of agents before and after one step of all with the same force, ``[B, n, 2]``."""
    before = env.reset()
    action = torch.full((*env.batch_size, 4, 2), force)
    after = env.step(before.set(("agents", "action"), action))["next"]
    return before["agents", "observation"][..., :2], after


def test_abilities_are_drawn_within_their_ranges_and_observed_last():
    env = env_of(50)
    seen = env.reset()["agents", "observation"]
    speed, radius = seen[..., -2], seen[..., -1]
    for ability, low, high in ((speed, 0.5, 2.0), (radius, 0.05, 0.3)):
        assert low <= ability.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < ability.max() <= high
    others = seen[:, 0, 12:24].unflatten(-1, (3, 4))
    torch.testing.assert_close(others[..., 2:], seen[:, 1:, -2:])
    torch.testing.assert_close(others[..., :2] + seen[:, :1, :2], seen[:, 1:, :2])
    assert env_of(observe_team=False).reset()["agents", "observation"].shape[-1] == 14


def test_a_faster_agent_moves_further():
    before, after = moved(env_of())
    seen = after["agents", "observation"]
    way, speed = seen[..., :2] - before, seen[..., -2:-1]
    torch.testing.assert_close(way / speed, (way / speed)[:1, :1].expand_as(way))


def test_the_reward_is_the_distance_of_goals_to_the_nearest_disc():
    _, after = moved(env_of(n_goals=2))
    seen = after["agents", "observation"]
    distance = seen[..., 4:8].unflatten(-1, (2, 2)).norm(dim=-1)  # [B, agent, goal]
    expected = -(distance - seen[..., -1:]).clamp(min=0).amin(1).mean(-1)
    reward = after["agents", "reward"].squeeze(-1)
    torch.testing.assert_close(reward, expected.unsqueeze(-1).expand(-1, 4))


def test_a_new_episode_in_one_environment_leaves_others_alone():
    env = env_of()
    before = env.reset()
    mask = torch.tensor([[False], [True], [False]])
    after = env.reset(before.clone().set("_reset", mask))
    same = (before["agents", "observation"] == after["agents", "observation"]).all(-1)
    assert same.all(-1).tolist() == [True, False, True]


@pytest.mark.parametrize("codes", ["hypermarl_mlp", "cash"])
def test_a_larger_team_with_unseen_abilities_runs(codes, tmp_path):
    """New members need no training: the network reads what they are able to do."""
    changes = {"codes": "capability"} if codes == "hypermarl_mlp" else {}
    config = config_of(codes, capability_indices=[-2, -1], **changes)
    settings = {"critic_model": config_of("fups"), "checkpoint_at_end": True, "max_n_iters": 1}
    old = experiment(tmp_path, config, task=lambda: task(observe_team=False), **settings)
    old.run()
    unseen = {"speeds": [3.0, 4.0], "radii": [0.5, 0.6], "n_agents": 6, "observe_team": False}
    new = experiment(tmp_path, config, task=lambda: task(**unseen), **settings)
    assert add_agents(new, checkpoint_in(old.folder_name), trust=True) == []
    models = [policy_model(run.algorithm.get_policy_for_loss("agents")) for run in (old, new)]
    x = torch.randn(7, 14)
    outputs = []
    for model in models:
        everywhere = x.unsqueeze(1).expand(7, model.n_agents, 14)
        y = model(TensorDict({"agents": {"observation": everywhere}}, [7]))["agents", "logits"]
        torch.testing.assert_close(y, y[:, :1].expand_as(y))
        outputs.append(y[:, 0])
    torch.testing.assert_close(*outputs)
    rollout = new.test_env.rollout(4, new.policy)
    assert rollout["agents", "action"].isfinite().all()
    assert rollout["agents", "observation"][..., -2].min() >= 3
    new.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speeds": [2.0, 1.0]}, r"speeds must be a range of two positive .* got \[2\.0, 1\.0\]"),
        ({"radii": [0.0, 1.0]}, "radii must be a range"),
        ({"radii": [1.0]}, r"got \[1\.0\]; for one value, give it twice"),
        ({"n_goals": 0}, "n_agents and n_goals must be positive, got 4 and 0"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        task(**changes)
