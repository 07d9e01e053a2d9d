"""HAPPO as an algorithm: what it equals, orders, advantages, tasks and names."""

from dataclasses import fields, replace
from types import SimpleNamespace

import benchmarl
import pytest
import torch
import yaml
from benchmarl.algorithms import EnsembleAlgorithmConfig, algorithm_config_registry
from benchmarl.algorithms.mappo import MappoConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import Callback, Experiment
from benchmarl.hydra_config import load_algorithm_config_from_hydra
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from support.benchmarl_requests import config_of
from support.experiments import TASKS, algorithm_config, experiment, two_groups
from support.happo_runs import GROUP, MLP, PASSES, Recorder, equal, happo, place, snapshot, tensors

import benchmarl_hyper
from benchmarl_hyper import HappoConfig, registry
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.diagnostics.callbacks import callbacks_named


def one_agent():
    return VmasTask.NAVIGATION.get_task({"max_steps": 4, "n_agents": 1})


@pytest.mark.slow
@pytest.mark.parametrize("model", [MLP, config_of("nops")], ids=["mlp", "nops"])
@pytest.mark.parametrize(
    ("name", "continuous"), [("mappo", True), ("mappo", False), ("ippo", True)]
)
def test_one_agent_is_ppo_bit_for_bit(name, continuous, model, tmp_path):
    flags = {"share_param_critic": False, "entropy_coef": 0.1, "use_tanh_normal": not continuous}
    happo_config = replace(HappoConfig.get_from_yaml(), normalize_advantage=False)
    ends = []
    for config in (algorithm_config(name), happo_config):
        config = replace(config, **flags)
        run = experiment(tmp_path, model, config, one_agent, continuous, clip_grad_val=0.1)
        run.run()
        ends.append(tensors(run.losses[GROUP]))
    assert equal(*ends)


def orders(folder, **changes):
    recorder = Recorder()
    run = happo(folder, task=place(4), callbacks=[recorder], max_n_iters=6, **changes)
    run.run()
    return run, recorder.orders[GROUP]


@pytest.mark.slow
def test_the_order_is_drawn_anew_from_the_seed(tmp_path):
    run, drawn = orders(tmp_path, checkpoint_interval=16)
    assert all(sorted(order) == [0, 1, 2, 3] for order in drawn)
    assert len(set(map(tuple, drawn))) > 1
    assert orders(tmp_path)[1] == drawn
    again = Experiment.reload_from_file(str(run.folder_name / "checkpoints" / "checkpoint_32.pt"))
    again.run()
    assert again.callbacks[0].orders[GROUP] == drawn[4:]
    other = [again.algorithm._draw_order(GROUP)]
    again.algorithm.experiment = SimpleNamespace(seed=1, n_iters_performed=6)
    assert [again.algorithm._draw_order(GROUP)] != other


@pytest.mark.parametrize("share_param_critic", [True, False])
def test_a_team_has_one_advantage(share_param_critic, tmp_path):
    """The mean of what MAPPO has for each agent, with the same critic."""
    flags = {"share_param_critic": share_param_critic}
    mappo = experiment(tmp_path, MLP, algorithm_config("mappo", **flags), place())
    batch = next(iter(mappo.collector))
    theirs = mappo.algorithm.process_batch(GROUP, batch.clone())[GROUP, "advantage"]
    assert theirs.std(-2).max() > 0.1  # each agent has rewards of its own
    critic = mappo.losses[GROUP].critic_network_params.data
    ours = {}
    for normalize in (False, True):
        run = happo(tmp_path, algorithm={**flags, "normalize_advantage": normalize})
        run.losses[GROUP].critic_network_params.data.update_(critic)
        ours[normalize] = run.algorithm.process_batch(GROUP, batch.clone())[GROUP, "advantage"]
    team = theirs.mean(-2, keepdim=True).expand_as(theirs)
    torch.testing.assert_close(ours[False], team)
    standard = (team - team.mean()) / team.std(correction=0)
    torch.testing.assert_close(ours[True], standard, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("task", TASKS)
def test_trains_on(task, continuous, tmp_path):
    run = happo(tmp_path, "nops", TASKS[task], {"share_param_critic": False}, continuous=continuous)
    before = {group: snapshot(loss) for group, loss in run.losses.items()}
    run.run()
    for group, loss in run.losses.items():
        for old, new in zip(before[group], snapshot(loss), strict=True):
            assert not equal(old, new)
            assert all(x.isfinite().all() for x in new)


class Counter(Callback):
    """Optimiser steps."""

    def __init__(self):
        super().__init__()
        self.steps = {}

    def on_train_step(self, batch, group):
        self.steps[group] = self.steps.get(group, 0) + 1


def test_one_group_of_an_ensemble_of_algorithms(tmp_path):
    ours = replace(HappoConfig.get_from_yaml(), share_param_critic=False)
    algorithms = EnsembleAlgorithmConfig({"adversary": ours, "agent": algorithm_config("mappo")})
    counter = Counter()
    experiment(tmp_path, "nops", algorithms, two_groups, callbacks=[counter], max_n_iters=1).run()
    assert counter.steps == {"adversary": 2 * PASSES * 2, "agent": PASSES * 2}


def test_all_callbacks_run(tmp_path):
    callbacks = callbacks_named("all")
    happo(tmp_path, "nops", algorithm={"share_param_critic": False}, callbacks=callbacks).run()


def test_values_can_be_clipped(tmp_path):
    recorder = Recorder()
    happo(tmp_path, algorithm={"clip_value": True}, callbacks=[recorder]).run()
    assert "value_clip_fraction" in recorder.training[GROUP][0]


def test_a_reloaded_experiment_computes_the_same(tmp_path):
    run = happo(tmp_path, checkpoint_at_end=True)
    run.run()
    (checkpoint,) = (run.folder_name / "checkpoints").iterdir()
    again = Experiment.reload_from_file(str(checkpoint))
    assert again.config.on_policy_n_minibatch_iters == PASSES
    batch = run.replay_buffers[GROUP].sample()
    for loss in (run.losses[GROUP], again.losses[GROUP]):
        loss.begin([1, 0, 2], calls_per_turn=1)
    for key, value in run.losses[GROUP](batch.clone()).items():
        assert torch.equal(value, again.losses[GROUP](batch.clone())[key]), key
    again.close()


def test_names_agree():
    shipped = yaml.safe_load((CONF / "algorithm" / "happo.yaml").read_text(encoding="utf-8"))
    assert shipped.keys() - {"defaults"} == {field.name for field in fields(HappoConfig)}
    assert algorithm_config_registry["happo"] is HappoConfig
    assert benchmarl_hyper.Happo is HappoConfig.associated_class()


def test_what_mappo_has_is_as_in_mappo():
    ours, theirs = HappoConfig.get_from_yaml(), MappoConfig.get_from_yaml()
    assert all(getattr(ours, key) == value for key, value in theirs.__dict__.items())


def test_values_come_from_a_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        yaml.safe_dump({**HappoConfig.get_from_yaml().__dict__, "lmbda": 0.5}), encoding="utf-8"
    )
    assert HappoConfig.get_from_yaml(str(file)).lmbda == 0.5


def test_a_taken_name_is_refused(monkeypatch):
    monkeypatch.setitem(algorithm_config_registry, "happo", MappoConfig)
    with pytest.raises(ValueError, match=r"algorithm 'happo' is already registered as .*Mappo"):
        registry.register()
    assert algorithm_config_registry["happo"] is MappoConfig


def test_benchmarl_composes_it():
    with initialize_config_dir(f"{benchmarl.__path__[0]}/conf", version_base=None):
        cfg = compose("config", ["algorithm=happo", "task=vmas/balance"])
        assert load_algorithm_config_from_hydra(cfg.algorithm) == HappoConfig.get_from_yaml()
        wrong = ["algorithm=happo", "task=vmas/balance", "algorithm.clip_value=maybe"]
        with pytest.raises(ConfigCompositionException) as error:
            compose("config", wrong)
    assert "'maybe' is not a valid bool" in str(error.value.__cause__)
