"""Clusters share a network, and every copy of a model learns of them between two iterations."""

import builtins
from dataclasses import replace

import pytest
import torch
from benchmarl.environments import VmasTask
from benchmarl.experiment import Experiment
from support.benchmarl_requests import config_of
from support.experiments import algorithm_config, experiment, two_groups
from support.extras import needs
from support.tiny_task import tiny_task

from benchmarl_hyper import SepsCallback
from benchmarl_hyper.models.seps import callback as seps_callback
from benchmarl_hyper.running.experiment_parts import buffers, policy_model

pytestmark = needs("seps")


def three_agents():
    return VmasTask.NAVIGATION.get_task({"max_steps": 4, "n_agents": 3})


def callback(frames=8, **changes):
    return SepsCallback.get_from_yaml(pretraining_frames=frames, epochs=1, **changes)


def run_with(folder, algorithm="ippo", config=None, frames=8, task=three_agents, **changes):
    config = config or config_of("seps", n_networks=2)
    callbacks = [callback(frames), *changes.pop("others", [])]
    return experiment(folder, config, algorithm, task, callbacks=callbacks, **changes)


def clusters_in(run, group="agents"):
    return [params[key] for params, key in buffers(run.losses[group], "cluster")]


# --- The schedule


class Watch(SepsCallback):
    """Notes the clusters whenever the experiment calls back, and changes nothing."""

    def __init__(self):
        super(SepsCallback, self).__init__()
        self.seen = []

    def note(self, when):
        (cluster, *_) = clusters_in(self.experiment)
        self.seen.append((when, cluster.unique().numel() > 1))

    def on_setup(self):
        pass

    on_state_dict = on_load_state_dict = lambda self, state: None

    def on_batch_collected(self, batch):
        self.note("collected")

    def on_train_step(self, batch, group):
        self.note("step")

    def on_train_end(self, training_td, group):
        self.note("end")


def test_clusters_change_once_between_two_iterations(tmp_path):
    watch = Watch()
    run_with(tmp_path, frames=16, others=[watch], max_n_iters=3).run()
    changed = [clustered for _, clustered in watch.seen]
    assert changed == sorted(changed)
    assert watch.seen[changed.index(True)][0] == "end"
    assert [when for when, _ in watch.seen[: changed.index(True)]].count("end") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "n_copies"),
    [("ippo", 2), ("mappo", 2), ("isac", 3), ("masac", 3), ("maddpg", 3), ("iql", 2), ("qmix", 2)],
)
def test_every_copy_is_written(algorithm, n_copies, tmp_path):
    """Policy, critic or ensemble, and targets."""
    run = run_with(tmp_path, algorithm)
    run.run()
    model = policy_model(run.algorithm.get_policy_for_loss("agents"))
    copies = clusters_in(run)
    assert len(copies) == n_copies
    assert model.generator.cluster.unique().numel() == 2
    for copy in copies:
        assert torch.equal(copy, model.generator.cluster.expand_as(copy))


def test_a_collector_on_its_own_copy_gets_the_clusters(tmp_path):
    run = run_with(tmp_path)
    own = run.collector.policy
    run.run()
    held = [buffer for name, buffer in own.named_buffers() if name.endswith("cluster")]
    assert [buffer.unique().numel() for buffer in held] == [2]


def test_the_critic_gets_the_policys_groups(tmp_path):
    config = config_of("seps", groups=[[0, 2], [1]])
    run = run_with(tmp_path, config=config, critic_model=config_of("seps"))
    run.close()
    for cluster in clusters_in(run):
        assert cluster.tolist() == [0, 1, 0]


def test_a_run_goes_on_where_it_stopped(tmp_path):
    """Stopped between collection and clustering: what was gathered is in the checkpoint."""
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    whole.mkdir(), parted.mkdir()
    run = run_with(whole, frames=16, max_n_iters=3)
    run.run()
    half = run_with(parted, frames=16, max_n_iters=3, checkpoint_interval=8)
    half.run()
    first = next(half.folder_name.glob("checkpoints/checkpoint_8.pt"))
    again = Experiment.reload_from_file(str(first))
    (steps,) = again.callbacks[0].gathered["agents"]
    assert steps.given.shape == (8 * 3, steps.given.shape[1])
    assert not clusters_in(again)[0].any()
    again.run()
    assert clusters_in(again)[0].unique().numel() == 2
    (last,) = half.folder_name.glob("checkpoints/checkpoint_24.pt")
    done = Experiment.reload_from_file(str(last))
    assert clusters_in(done)[0].unique().numel() == 2
    assert done.callbacks[0].clustered == {"agents"}
    done.close()


# --- What is gathered


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("task", [three_agents, tiny_task])
def test_transitions_are_rows_of_agents(task, continuous, tmp_path):
    run = run_with(tmp_path, task=task, continuous=continuous)
    batch = next(iter(run.collector))
    steps = seps_callback.transitions(run, batch, "agents")
    n = len(run.group_map["agents"])
    spec = run.action_spec["agents", "action"]
    n_actions = spec.shape[-1] if continuous else spec.space.n
    seen = batch["agents", "observation"]
    row = 3 * n + 1  # fourth step of the first environment, second agent
    assert steps.agent[row] == 1
    assert torch.equal(steps.given[row, :-n_actions], seen.flatten(0, 1)[3, 1])
    following = batch["next", "agents", "observation"].flatten(0, 1)[3, 1]
    assert torch.equal(steps.followed[row, :-1], following)
    reward = batch.get(("next", "agents", "reward"), None)
    reward = batch["next", "reward"].flatten()[3] if reward is None else reward[0, 3, 1, 0]
    assert steps.followed[row, -1] == reward
    assert steps.given[row, -n_actions:].sum() == 1 or continuous
    run.close()


def test_an_episodes_end_is_followed_by_its_own_last_observation(tmp_path):
    run = run_with(tmp_path)
    batch = next(iter(run.collector))
    batch = torch.cat([batch, next(iter(run.collector))], 1)
    steps = seps_callback.transitions(run, batch, "agents")
    (_, last), *_ = batch["next", "done"][..., 0].nonzero().tolist()
    reset = batch["agents", "observation"][0, last + 1, 0]
    followed = steps.followed[last * 3, :-1]
    assert torch.equal(followed, batch["next", "agents", "observation"][0, last, 0])
    assert not torch.equal(followed, reset)
    run.close()


# --- Errors


def test_too_few_agents_to_choose_a_number(tmp_path):
    task = lambda: VmasTask.NAVIGATION.get_task({"max_steps": 4, "n_agents": 2})  # noqa: E731
    with pytest.raises(ValueError, match=r"'agents' has 2 agents.* takes 3; set model.n_networks"):
        run_with(tmp_path, config=config_of("seps"), task=task)


def test_a_group_of_one_agent_is_passed_over(tmp_path):
    run = run_with(tmp_path, task=two_groups)
    run.run()
    assert clusters_in(run, "adversary")[0].unique().numel() == 2
    assert not clusters_in(run, "agent")[0].any()


def test_a_run_that_ends_before_clustering_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"pretraining_frames=16 leaves none of the run's 16 frame"
    ):
        run_with(tmp_path, frames=16)


def test_a_critic_with_too_few_networks_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has 1 networks.* set critic_model.n_networks=2"):
        run_with(tmp_path, critic_model=config_of("seps", n_networks=1))


@pytest.mark.parametrize(("model", "algorithm"), [("nops", "ippo"), ("seps", "happo")])
def test_a_policy_without_clusters_is_refused(model, algorithm, tmp_path):
    config = algorithm_config(algorithm)
    if algorithm == "happo":
        config = replace(config, share_param_critic=False)
    with pytest.raises(ValueError, match=r"needs one Seps as policy of all 3 agents.*layers/seps"):
        run_with(tmp_path, config, config_of(model))


def test_scikit_learn_is_asked_for_where_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(seps_callback, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"benchmarl-hyper\[seps\].*model.groups"):
        run_with(tmp_path)
    original = builtins.__import__

    def without(name, *args, **kwargs):
        assert not name.startswith("sklearn")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    run_with(tmp_path, config=config_of("seps", groups=[[0, 2], [1]])).run()
