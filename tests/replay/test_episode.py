import pytest
import torch
from benchmarl.environments import VmasTask
from support.experiments import experiment, one_group
from support.extras import needs
from support.run_folders import checkpoint_in

from benchmarl_hyper.replay.episode import episode_of
from benchmarl_hyper.running.checkpoints import reopened
from benchmarl_hyper.running.episodes import fresh_episodes, return_metrics
from benchmarl_hyper.tasks.bps import BpsTask
from benchmarl_hyper.tasks.games import GamesTask
from benchmarl_hyper.tasks.hypervmas import HyperVmasTask

pytestmark = needs("vmas")


def tag():
    sizes = {"num_good_agents": 1, "num_adversaries": 2, "num_landmarks": 1}
    return VmasTask.SIMPLE_TAG.get_task({"max_steps": 4, "shape_agent_rew": True, **sizes})


# Model, task, continuous actions, and whether the evaluation is deterministic
RUNS = {
    "one group": ("fups", one_group, True, True),
    "sampled": ("fups", one_group, True, False),
    "two groups": ("nops", tag, True, True),
    "recurrent": ("fups_gru", one_group, True, True),
    "game": ("fups", lambda: GamesTask.SYNCHRONISATION_2.get_task({"horizon": 4}), False, True),
    "bps": ("fups", lambda: BpsTask.BPS_1.get_task({"horizon": 4}), False, True),
    "dispersion": (
        "fups",
        lambda: HyperVmasTask.DISPERSION_4.get_task({"max_steps": 4, "penalise_by_time": True}),
        False,
        True,
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_it_is_the_evaluation_with_this_seed(name, tmp_path):
    model, task, continuous, deterministic = RUNS[name]
    run = experiment(
        tmp_path,
        model,
        task=task,
        continuous=continuous,
        checkpoint_at_end=True,
        max_n_iters=1,
        evaluation_deterministic_actions=deterministic,
    )
    run.run()
    checkpoint = checkpoint_in(run.folder_name)
    with reopened(checkpoint, trust=True) as again:
        (evaluation,) = fresh_episodes(again, 1, seed=5)
    expected = return_metrics(evaluation[:1], run.group_map)["return"].item()
    assert expected != 0
    episode = episode_of(checkpoint, seed=5, steps=None, trust=True)
    assert episode.returns[-1] == pytest.approx(expected)
    assert episode.returns[0] == 0
    assert len(episode.scenes) == len(episode.returns) == 5
    assert episode.scenes[0] != episode.scenes[-1]
    shorter = episode_of(checkpoint, seed=5, steps=2, trust=True)
    assert shorter.scenes == episode.scenes[:3]
    assert shorter.returns == pytest.approx(episode.returns[:3])


def test_it_ends_where_the_environment_does(tmp_path):
    run = experiment(
        tmp_path,
        "fups",
        task=lambda: HyperVmasTask.DISPERSION_4.get_task({"max_steps": 9, "food_radius": 3.0}),
        continuous=False,
        checkpoint_at_end=True,
        max_n_iters=1,
    )
    run.run()
    episode = episode_of(checkpoint_in(run.folder_name), seed=0, steps=None, trust=True)
    food = [sum("food" in body.name for body in scene.bodies) for scene in episode.scenes]
    assert food == [4, 0]
    assert torch.tensor(episode.returns).tolist() == [0, 4]
