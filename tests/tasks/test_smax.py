import pickle

import pytest
import torch
from benchmarl.models import GruConfig
from support.experiments import experiment
from support.extras import needs
from tensordict import TensorDict

from benchmarl_hyper.tasks.smax import SmaxClass, SmaxTask

pytestmark = needs("smax")

WEST, STOP, MOVES = 3, 4, 5  # attacks follow the moves
FEATURES = 10  # of a unit in the state: health, x, y, cooldown, six bits of its type
RANGES = torch.tensor([5.0, 6.0, 6.0, 2.0, 2.0, 5.0])  # of the types


def smax(name="2s3z", num_envs=3, seed=0, **changes):
    task = SmaxTask[name.upper()].get_task(changes)
    return task.get_env_fun(num_envs, False, seed, "cpu")()


def units(td):
    """Features of all units, the allies first: ``[..., 2N, 10]``."""
    n_units = td["state"].shape[-1] // (FEATURES + 2)
    return td["state"][..., : n_units * FEATURES].unflatten(-1, (n_units, FEATURES))


def stop(td):
    mask = td["agents", "action_mask"]
    return td.set(("agents", "action"), torch.full(mask.shape[:-1], STOP))


def flee(td):
    mask = td["agents", "action_mask"]
    return td.set(("agents", "action"), torch.where(mask[..., WEST], WEST, STOP))


def fight(td):
    """Attack whom one can, or move at random."""
    mask = td["agents", "action_mask"].float()
    mask[..., MOVES:] *= 1000
    action = torch.multinomial(mask.flatten(0, 1), 1)
    return td.set(("agents", "action"), action.view(mask.shape[:-1]))


def kill(env, who):
    """Take the health of some units, in all environments, before the next step."""
    state = env.units.state
    health = state.unit_health.at[:, who].set(0.0)
    env.units = env.units.replace(state=state.replace(unit_health=health))


@pytest.fixture(scope="module")
def battles():
    torch.manual_seed(0)
    steps = smax().rollout(250, fight, break_when_any_done=False)
    assert steps["next", "done"].any()
    return steps


@pytest.mark.parametrize(
    ("name", "n", "observation", "actions", "state"),
    [
        ("2s3z", 5, 127, 10, 120),
        ("3s5z", 8, 205, 13, 192),
        ("smacv2_10_units", 10, 257, 15, 240),
        ("smacv2_20_units", 20, 517, 25, 480),
    ],
)
def test_sizes(name, n, observation, actions, state):
    env = smax(name)
    specs = env.full_observation_spec_unbatched
    assert specs["agents", "observation"].shape == (n, observation)
    assert specs["agents", "action_mask"].shape == (n, actions)
    assert specs["state"].shape == (state,)
    assert env.full_action_spec_unbatched["agents", "action"].space.n == actions
    assert env.horizon == 100


def test_names_that_begin_with_a_digit():
    assert pickle.loads(pickle.dumps(SmaxTask["2S3Z"])) is SmaxTask["2S3Z"]
    names = ["2s3z", "3s5z", "smacv2_10_units", "smacv2_20_units"]
    assert [task.name.lower() for task in SmaxTask] == names
    assert [task.get_task().config["map_name"] for task in SmaxTask] == names


@pytest.mark.slow
def test_masks_follow_from_the_state(battles):
    """The living move and attack living enemies in range; the dead can only stop."""
    everybody = units(battles)
    allies, enemies = everybody[..., :5, :], everybody[..., 5:, :]
    alive, target = allies[..., 0] > 0, enemies[..., 0] > 0
    offsets = allies[..., 1:3].unsqueeze(-2) - enemies[..., 1:3].unsqueeze(-3)
    in_range = offsets.norm(dim=-1) < RANGES[allies[..., 4:].argmax(-1)].unsqueeze(-1)
    mask = battles["agents", "action_mask"]
    assert mask[..., STOP].all()
    assert torch.equal(mask[..., :STOP], alive.unsqueeze(-1).expand(*alive.shape, STOP))
    attacks = in_range & alive.unsqueeze(-1) & target.unsqueeze(-2)
    assert torch.equal(mask[..., MOVES:], attacks)
    assert attacks.any()
    assert not alive.all()


@pytest.mark.slow
def test_an_agent_is_the_unit_of_its_place(battles):
    """An observation ends with health, x and y of the agent itself, on a map of 32 x 32."""
    own = battles["agents", "observation"][..., -FEATURES:]
    expected = units(battles)[..., :5, :].clone()
    expected[..., 1:3] /= 32
    torch.testing.assert_close(own[..., :3], expected[..., :3])


@pytest.mark.slow
def test_an_agent_moves_its_own_unit():
    env = smax()
    td = stop(env.reset())
    td["agents", "action"][:, 1] = WEST
    env.step(td)
    expected = torch.zeros(3, 5, 2)
    expected[:, 1, 0] = -1
    moves = torch.from_dlpack(env.units.state.prev_movement_actions)[:, :5]
    torch.testing.assert_close(moves, expected)


@pytest.mark.slow
def test_everybody_earns_the_enemies_losses_and_the_victory(battles):
    before, after = units(battles)[..., 5:, 0], units(battles["next"])[..., 5:, 0]
    won = battles["next", "info", "battle_won"]
    expected = (before - after).mean(-1, keepdim=True) + won
    reward = battles["next", "agents", "reward"].squeeze(-1)
    torch.testing.assert_close(reward, expected.expand_as(reward))
    assert (reward > 0).any()


@pytest.mark.slow
def test_terminated_where_a_team_is_dead(battles):
    dead = units(battles["next"])[..., 0].unflatten(-1, (2, 5)).eq(0).all(-1)
    assert torch.equal(battles["next", "terminated"], dead.any(-1, keepdim=True))
    won = dead[..., 1:] & ~dead[..., :1]
    assert torch.equal(battles["next", "info", "battle_won"], won.float())
    assert not battles["info", "battle_won"].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "terminated", "won"),
    [
        (slice(5, 10), True, 1.0),
        (slice(0, 5), True, 0.0),
        (slice(0, 10), True, 0.0),  # a draw
        (slice(1, 9), False, 0.0),
    ],
)
def test_the_last_survivor_decides(who, terminated, won):
    env = smax()
    td = env.reset()
    kill(env, who)
    step = env.step(stop(td))["next"]
    assert (step["terminated"] == terminated).all()
    assert (step["info", "battle_won"] == won).all()
    assert (step["agents", "reward"] == won).all()  # nothing else was lost


@pytest.mark.slow
def test_truncated_at_the_horizon():
    steps = smax(horizon=3).rollout(10, stop)["next"]
    assert steps["truncated"][0].flatten().tolist() == [False, False, True]
    assert not steps["terminated"].any()


@pytest.mark.slow
def test_walls_kill_and_enemies_are_watched_only_if_configured():
    """Allies walk west into the wall; features 3 to 5 of an enemy say what it did."""
    outcomes = []
    for yes in (True, False):
        env = smax(walls_cause_death=yes, see_enemy_actions=yes)
        dead_at_the_wall = env.rollout(12, flee)["next", "terminated"].any().item()
        fights = env.rollout(40, fight, break_when_any_done=False)
        enemies = fights["agents", "observation"][..., 4 * 13 : 9 * 13].unflatten(-1, (5, 13))
        outcomes.append((dead_at_the_wall, enemies[..., 3:6].any().item(), enemies.any().item()))
    assert outcomes == [(True, True, True), (False, False, True)]


@pytest.mark.slow
def test_jaxmarls_own_limit_is_out_of_the_way():
    env = smax()
    td = env.reset()
    state = env.units.state
    env.units = env.units.replace(state=state.replace(step=state.step + 1000))
    assert not env.step(stop(td))["next", "done"].any()


@pytest.mark.slow
def test_no_tensor_is_a_view_of_what_belongs_to_jax(monkeypatch):
    views, from_dlpack = [], torch.from_dlpack

    def recorded(array):
        views.append(from_dlpack(array))
        return views[-1]

    monkeypatch.setattr(torch, "from_dlpack", recorded)
    env = smax()
    td = env.reset()
    given = [*td.values(True, True), *env.step(stop(td))["next"].values(True, True)]
    assert len(views) >= 10
    assert not {view.data_ptr() for view in views} & {tensor.data_ptr() for tensor in given}


@pytest.mark.slow
def test_what_was_handed_out_may_be_overwritten():
    env, twin = smax(), smax()
    for _ in range(4):
        steps = [each.rollout(5, stop) for each in (env, twin)]
        assert (steps[0] == steps[1]).all()
        for tensor in steps[0].values(True, True):
            tensor.zero_()


@pytest.mark.slow
def test_battles_differ_and_so_do_episodes():
    env = smax(num_envs=3)
    first, second = env.reset()["state"], env.reset()["state"]
    assert len({tuple(row.tolist()) for row in torch.cat([first, second])}) == 6


@pytest.mark.slow
def test_batch_sizes_share_functions_that_compile_once_each():
    env, small = smax(num_envs=3), smax(num_envs=2, horizon=7)
    alone = smax(num_envs=3).rollout(8, stop, break_when_any_done=False)
    functions = [env.battle.restart, env.battle.advance, env.battle.observe]
    small.rollout(8, stop, break_when_any_done=False)
    compiled = [function._cache_size() for function in functions]
    td, other = env.reset(), small.reset()
    for step in alone.unbind(-1):
        td, other = env.step(stop(td))["next"], small.step(stop(other))["next"]
        assert (td == step["next"]).all()
    assert small.battle is env.battle
    assert [function._cache_size() for function in functions] == compiled
    assert smax(attack_mode="random").battle is not env.battle


@pytest.mark.parametrize(
    ("done", "logged"),
    [
        ([True, False, True, True], {"collection/info/win_rate": pytest.approx(2 / 3)}),
        ([False] * 4, {}),
    ],
)
def test_win_rate_is_of_the_episodes_that_ended(done, logged):
    won, done = torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor(done)
    step = {"done": done.view(2, 2, 1), "info": {"battle_won": won.view(2, 2, 1)}}
    assert SmaxClass.log_info(TensorDict({"next": step}, [2, 2])) == logged


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:No episode terminated this iteration")
@pytest.mark.parametrize("algorithm", ["mappo", "qmix"])
def test_a_recurrent_policy_trains_and_chooses_what_is_available(algorithm, tmp_path):
    """The evaluation has another batch size."""
    run = experiment(
        tmp_path,
        GruConfig.get_from_yaml(),
        algorithm,
        SmaxTask["2S3Z"].get_task,
        evaluation_episodes=3,
    )
    run.run()
    steps = run.test_env.rollout(30, run.policy, auto_cast_to_device=True)
    mask, action = (steps["agents", key] for key in ("action_mask", "action"))
    assert mask.gather(-1, action.unsqueeze(-1)).all()
    assert not mask.all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attack_mode": "last"}, "attack_mode must be one of closest, random, got 'last'"),
        ({"horizon": 0}, "horizon must be positive, got 0"),
        ({"map_name": "2s4z"}, "map_name must be one of .*2s3z.*, got '2s4z'"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        smax(**changes)
