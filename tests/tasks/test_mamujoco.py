import numpy as np
import pytest
import torch
from support.extras import needs
from tensordict import TensorDict

from benchmarl_hyper.tasks.mamujoco import MamujocoTask

pytestmark = [
    needs("mujoco"),
    pytest.mark.filterwarnings("ignore:.*-v4 is out of date"),
]

UNEVEN = {"agent_conf": "9|8"}  # of the humanoid's actuators
TEAMS = [*((task.name, {}) for task in MamujocoTask), ("HUMANOID_17X1", UNEVEN)]


@pytest.fixture
def make():
    """Makes environments, and closes them after the test."""
    made = []

    def make_env(name="WALKER2D_2X3", num_envs=1, seed=0, device="cpu", **changes):
        task = MamujocoTask[name].get_task(changes)
        made.append(task.get_env_fun(num_envs, True, seed, device)())
        return made[-1]

    yield make_env
    for env in made:
        if not env.is_closed:
            env.close()


def play(env, action):
    """One step."""
    return env.step(TensorDict({"agents": {"action": action}}, env.batch_size))["next"]


def drives(env):
    """What reaches the first body's actuators: a row per entry of the team's action."""
    none = env.full_action_spec["agents", "action"].zero()
    rows = []
    for entry in range(none[0].numel()):
        action = none.clone()
        action[0].view(-1)[entry] = 0.25
        play(env, action)
        rows.append(torch.tensor(env.bodies[0].data.ctrl))
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("name", "changes", "n_agents", "n_entries", "n_state", "bound"),
    [
        ("HUMANOID_17X1", {}, 17, 1, 348, 0.4),
        ("HUMANOID_17X1", {"version": "v4"}, 17, 1, 376, 0.4),
        ("HUMANOID_17X1", UNEVEN, 2, 9, 348, 0.4),
        ("WALKER2D_2X3", {}, 2, 3, 17, 1),
        ("WALKER2D_2X3", {"version": "v4"}, 2, 3, 17, 1),
        ("HALFCHEETAH_2X3", {}, 2, 3, 17, 1),
        ("HALFCHEETAH_2X3", {"version": "v4"}, 2, 3, 17, 1),
        ("ANT_4X2", {}, 4, 2, 105, 1),
        ("ANT_4X2", {"version": "v4"}, 4, 2, 27, 1),
        ("ANT_4X2", {"version": "v4", "use_contact_forces": True}, 4, 2, 111, 1),
        ("SWIMMER_10X2", {}, 10, 2, 44, 1),
    ],
)
def test_sizes_and_bounds(make, name, changes, n_agents, n_entries, n_state, bound):
    env = make(name, **changes)
    steps = env.rollout(2)
    assert steps["agents", "observation"].shape == (1, 2, n_agents, n_state)
    assert steps["state"].shape == (1, 2, n_state)
    space = env.full_action_spec_unbatched["agents", "action"].space
    assert space.low.shape == (n_agents, n_entries)
    low, high = torch.tensor(env.bodies[0].model.actuator_ctrlrange).float().T
    torch.testing.assert_close(high, torch.full_like(high, bound))
    for ours, theirs in ((space.low, low), (space.high, high)):
        assert (ours == theirs[0]).all()
        assert (theirs == theirs[0]).all()


@pytest.mark.parametrize(("name", "changes"), TEAMS)
def test_every_actuator_is_driven_exactly_once(make, name, changes):
    env = make(name, **changes)
    env.reset()
    driven = drives(env) != 0
    assert (driven.sum(0) == 1).all()
    n_entries, n_actuators = driven.shape
    assert sorted(driven.sum(1).tolist()) == [0] * (n_entries - n_actuators) + [1] * n_actuators


def test_humanoid_has_an_agent_for_each_actuator_in_order(make):
    env = make("HUMANOID_17X1")
    env.reset()
    torch.testing.assert_close(drives(env), 0.25 * torch.eye(17, dtype=torch.float64))


@pytest.mark.parametrize(("name", "changes"), TEAMS[1:])
def test_agents_drive_what_gymnasium_robotics_says(make, name, changes):
    env = make(name, **changes)
    env.reset()
    action = env.rand_action()["agents", "action"]
    play(env, action)
    commands = reference(env).map_local_actions_to_global_action(
        {f"agent_{index}": row.numpy() for index, row in enumerate(action[0])}
    )
    np.testing.assert_allclose(env.bodies[0].data.ctrl, commands)


def reference(env):
    """gymnasium-robotics' own team on the first body."""
    from gymnasium_robotics import mamujoco_v1

    config = env.config
    return mamujoco_v1.parallel_env(
        config.scenario, config.agent_conf, config.agent_obsk, gym_env=env.bodies[0]
    )


@pytest.mark.parametrize(("name", "changes"), TEAMS[1:])
@pytest.mark.parametrize("agent_obsk", [0, 1, 2])
def test_local_views_are_those_of_gymnasium_robotics(make, name, changes, agent_obsk):
    env = make(name, obs_mode="local", agent_obsk=agent_obsk, **changes)
    ours = env.reset()["agents", "observation"][0]
    views = list(reference(env)._get_obs().values())
    assert ours.shape == (len(views), max(map(len, views)))
    for row, view in zip(ours, views, strict=True):
        torch.testing.assert_close(row[: len(view)], torch.tensor(view).float())
        assert not row[len(view) :].any()


def test_local_views_of_the_humanoid_with_an_agent_for_each_actuator(make):
    """At distance 0: a joint's angle and speed, and the root's 5 and 6 after all else.

    Joints are in MuJoCo's order: gymnasium-robotics gives abdomen_z to the agent that drives
    abdomen_y, and abdomen_y to the agent that drives abdomen_z.
    """
    env = make("HUMANOID_17X1", obs_mode="local", agent_obsk=0)
    observation = env.reset()["agents", "observation"][0]
    data, state = env.bodies[0].data, env.states[0]
    joints = torch.tensor(np.stack([data.qpos[7:], data.qvel[6:]], -1)).float()
    torch.testing.assert_close(observation[:, :2], joints)
    root = torch.tensor(np.concatenate([state[:5], state[22:28]])).float()
    for row, view in zip(observation, env.views, strict=True):
        torch.testing.assert_close(row[len(view) - 11 : len(view)], root)
        assert not row[len(view) :].any()


def test_team_plays_what_one_player_of_gymnasium_plays(make):
    """State, reward and end are the body's own, and the same for every agent."""
    import gymnasium

    env, body = make(), gymnasium.make("Walker2d-v5").unwrapped
    first = env.reset()
    body.reset()
    body.set_state(env.bodies[0].data.qpos, env.bodies[0].data.qvel)
    np.testing.assert_allclose(first["state"][0], body._get_obs(), rtol=1e-6)
    assert torch.equal(first["agents", "observation"], first["state"].unsqueeze(1).repeat(1, 2, 1))
    over = False
    for _ in range(200):
        step = play(env, env.rand_action()["agents", "action"])
        state, reward, over, _, _ = body.step(env.bodies[0].data.ctrl.astype(np.float32))
        np.testing.assert_allclose(step["state"][0], state, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(step["agents", "reward"].flatten(), [reward] * 2, rtol=1e-5)
        assert step["terminated"].item() is over
        assert step["done"].item() is over
        if over:
            break
    assert over
    body.close()


def test_episodes_are_truncated_at_the_horizon(make):
    steps = make("HALFCHEETAH_2X3", horizon=3).rollout(10)["next"]
    assert steps["truncated"].flatten().tolist() == [False, False, True]
    assert not steps["terminated"].any()


@pytest.mark.parametrize("obs_mode", ["full", "local"])
def test_standardised_vectors(make, obs_mode):
    """The z-score of each vector, without the padding of the swimmer's first and last agent."""
    settings = {"name": "SWIMMER_10X2", "num_envs": 2, "obs_mode": obs_mode}
    plain, scaled = make(**settings).reset(), make(**settings, standardise=True).reset()
    sizes = [44] * 10 if obs_mode == "full" else [5, *[6] * 8, 5]
    for agent, size in enumerate(sizes):
        ours = scaled["agents", "observation"][:, agent]
        vector = plain["agents", "observation"][:, agent, :size]
        torch.testing.assert_close(ours[:, :size], z_score(vector), rtol=1e-3, atol=1e-3)
        assert not ours[:, size:].any()
    torch.testing.assert_close(scaled["state"], z_score(plain["state"]), rtol=1e-3, atol=1e-3)


def z_score(vectors):
    deviation = vectors.std(-1, correction=0, keepdim=True)
    return (vectors - vectors.mean(-1, keepdim=True)) / deviation


def test_episodes_differ_and_come_again_with_the_seed(make):
    env = make(num_envs=2)
    rounds = []
    for _ in range(2):
        env.set_seed(3)
        rounds.append(torch.stack([env.reset()["state"], env.reset()["state"]]))
    assert torch.equal(*rounds)
    assert len(rounds[0].flatten(0, 1).unique(dim=0)) == 4


def test_others_play_on_after_a_partial_reset(make):
    env, twin = make(num_envs=3), make(num_envs=3)
    actions = [env.rand_action()["agents", "action"] for _ in range(6)]
    for one in (env, twin):
        one.reset()
    for action in actions[:3]:
        td = play(env, action)
        play(twin, action)
    env.reset(td.set("_reset", torch.tensor([[False], [True], [False]])))
    for action in actions[3:]:
        ours, theirs = play(env, action), play(twin, action)
    same = (ours["state"] == theirs["state"]).all(-1)
    assert same.tolist() == [True, False, True]
    assert env.steps.tolist() == [6, 3, 6]


def test_closing_closes_the_bodies(make, monkeypatch):
    env, closed = make(num_envs=2), []
    for index, body in enumerate(env.bodies):
        monkeypatch.setattr(body, "close", lambda index=index: closed.append(index))
    env.close()
    assert closed == [0, 1]
    assert env.is_closed


def test_picture_shows_the_first_body(make, monkeypatch):
    try:
        from mujoco import egl

        egl.GLContext(8, 8).free()
    except Exception as error:
        pytest.skip(f"needs OpenGL by EGL: {error}")
    monkeypatch.setenv("MUJOCO_GL", "removed after the test")
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.delenv("DISPLAY", raising=False)
    env = make(num_envs=2)
    td = env.reset()
    first = env.render(mode="rgb_array")
    assert first.shape == (240, 240, 3)
    assert first.dtype == np.uint8
    assert len(np.unique(first)) > 10
    env.reset(td.set("_reset", torch.tensor([[False], [True]])))
    assert (env.render() == first).all()
    for _ in range(5):
        play(env, env.rand_action()["agents", "action"])
    assert (env.render() != first).any()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_opengl_is_answered_with_what_to_set(make, monkeypatch):
    env = make()  # imports mujoco, which refuses other values than its own
    monkeypatch.setenv("MUJOCO_GL", "pencil")
    env.reset()
    with pytest.raises(RuntimeError, match="cannot draw with MUJOCO_GL=pencil; set it to egl"):
        env.render()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("ANT_4X2", {"scenario": "Cat"}, "scenario must be one of Ant, .*, got 'Cat'"),
        ("ANT_4X2", {"version": "v3"}, "version must be one of v4, v5, got 'v3'"),
        ("ANT_4X2", {"obs_mode": "blind"}, "obs_mode must be one of full, local, got 'blind'"),
        ("ANT_4X2", {"agent_obsk": -1}, "agent_obsk must be zero or more, got -1"),
        ("ANT_4X2", {"horizon": 0}, "horizon must be positive, got 0"),
        ("ANT_4X2", {"version": "v4", "obs_mode": "local"}, "'v4' has no obs_mode 'local'"),
        (
            "SWIMMER_10X2",
            {"version": "v4"},
            "'v4' has .* no scenario 'ManySegmentSwimmer'; set version=v5",
        ),
        ("ANT_4X2", {"use_contact_forces": True}, "got 'Ant' in 'v5'; set use_contact_forces="),
        (
            "WALKER2D_2X3",
            {"version": "v4", "use_contact_forces": True},
            "got 'Walker2d' in 'v4'; set use_contact_forces=False",
        ),
    ],
)
def test_bad_values(name, changes, message):
    with pytest.raises(ValueError, match=message):
        MamujocoTask[name].get_task(changes)


def test_unknown_divisions_are_refused_by_gymnasium_robotics(make):
    with pytest.raises(Exception, match="UNKNOWN partitioning config: 3x2"):
        make(agent_conf="3x2")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("obs_mode", ["full", "local"])
def test_on_a_gpu(make, obs_mode):
    steps = make(num_envs=2, device="cuda", obs_mode=obs_mode).rollout(5)
    assert {value.device.type for value in steps.values(True, True)} == {"cuda"}
