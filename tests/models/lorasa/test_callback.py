"""The stages of LoRASA: fups first, then adapters on what it has learned."""

from dataclasses import replace

import pytest
import torch
from support.benchmarl_requests import config_of
from support.experiments import algorithm_config, experiment, two_groups
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable
from support.run_folders import checkpoint_in

from benchmarl_hyper import LorasaCallback
from benchmarl_hyper.export.agent_networks import agent_networks
from benchmarl_hyper.models.lorasa.model import ADAPTERS, SHARED, TOGETHER, Lorasa
from benchmarl_hyper.running.checkpoints import reopened
from benchmarl_hyper.running.experiment_parts import policy_model


def run_with(folder, stage_two_at=0.5, critic="fups", others=(), algorithm="ippo", **settings):
    callbacks = [LorasaCallback(stage_two_at), *others]
    critic_model = config_of(critic)
    arguments = {"critic_model": critic_model, "callbacks": callbacks, **settings}
    return experiment(folder, config_of("lorasa"), algorithm, **arguments)


def weights(run, group="agents", shared=True):
    """Parameters of policy and critic, or of adapters, by name, copied."""
    return {
        name.replace(".rows.", "."): value.detach().clone()
        for name, value in run.losses[group].named_parameters()
        if shared == (not name.endswith(("left", "right")) and not is_own_bias(name))
    }


def is_own_bias(name):
    return "actor" in name and name.endswith("bias") and ".rows." not in name


class Recorder(LorasaCallback):
    """Keeps weights and stages after each iteration."""

    def __init__(self):
        super().__init__(None)
        self.kept = []

    def on_setup(self):
        pass

    def on_train_end(self, training_td, group):
        stages = {stage.trained for stage in self._stages(group)}
        run = self.experiment
        self.kept.append((stages, weights(run, group), weights(run, group, shared=False)))

    def on_state_dict(self, state_dict):
        pass


# --- Identities


@pytest.mark.parametrize(
    ("algorithm", "continuous"),
    [("ippo", True), pytest.param("iql", False, marks=pytest.mark.slow)],
)
def test_before_the_second_stage_it_is_fups_bit_for_bit(algorithm, continuous, tmp_path):
    settings = {"algorithm": algorithm, "continuous": continuous, "max_n_iters": 3}
    ours = run_with(tmp_path, 0.99 * 2 / 3, others=[Recorder()], **settings)
    ours.run()
    plain = experiment(tmp_path, "fups", algorithm, continuous=continuous, max_n_iters=2)
    plain.run()
    _, shared, _ = ours.callbacks[1].kept[1]  # after the second iteration
    theirs = {name: x.detach() for name, x in plain.losses["agents"].named_parameters()}
    names = [name for name in shared if "target" not in name]
    assert len(names) == len([name for name in theirs if "target" not in name])
    for name in names:
        assert torch.equal(shared[name], theirs[name]), name


def test_in_the_second_stage_shared_weights_do_not_move(tmp_path):
    run = run_with(tmp_path, 0.5, critic="lorasa", others=[Recorder()], max_n_iters=4)
    run.run()
    kept = run.callbacks[1].kept
    assert [stages for stages, *_ in kept] == [{SHARED}, {ADAPTERS}, {ADAPTERS}, {ADAPTERS}]
    policies = [{k: x for k, x in one.items() if "actor" in k} for _, one, _ in kept]
    adapters = [{k: x for k, x in one.items() if "actor" in k} for _, _, one in kept]
    assert len(policies[0]) == 6
    assert len(adapters[0]) == 9
    for name, x in policies[0].items():
        assert not torch.equal(x, policies[1][name])
        assert torch.equal(policies[1][name], policies[3][name])
    for name, x in adapters[1].items():
        assert torch.equal(adapters[0][name], x)
        assert not torch.equal(x, adapters[3][name]), name


def test_one_stage_trains_both(tmp_path):
    run = run_with(tmp_path, None)
    before = weights(run) | weights(run, shared=False)
    run.run()
    after = weights(run) | weights(run, shared=False)
    assert not any(torch.equal(x, after[name]) for name, x in before.items())
    assert policy_model(run.algorithm.get_policy_for_loss("agents")).stage.trained == TOGETHER


def test_adams_moments_of_adapters_begin_with_the_second_stage(tmp_path):
    run = run_with(tmp_path, 0.5, max_n_iters=2)
    run.run()
    optimizer = run.optimizers["agents"]["loss_objective"]
    steps = {
        name: optimizer.state[parameter]["step"].item()
        for name, parameter in run.losses["agents"].actor_network_params.named_parameters()
    }
    assert set(steps.values()) == {4.0}  # of both: each part was trained in one of the iterations
    assert len(steps) == 15


# --- In experiments


@pytest.mark.parametrize("stage_two_at", [0.25, 0.75])
def test_resumes_bit_for_bit_on_both_sides_of_the_switch(stage_two_at, tmp_path):
    settings = {"model": config_of("lorasa"), "critic_model": config_of("fups")}
    whole = resumable(tmp_path / "whole", callbacks=[LorasaCallback(stage_two_at)], **settings)
    whole.run()
    (tmp_path / "parts").mkdir()
    again = interrupted_and_resumed(
        tmp_path / "parts", callbacks=lambda: [LorasaCallback(stage_two_at)], **settings
    )
    assert_same(final_state(again), final_state(whole))


def test_a_checkpoint_is_exported_without_its_stage(tmp_path):
    run = run_with(tmp_path, 0.5, checkpoint_at_end=True, max_n_iters=2)
    run.run()
    model = policy_model(run.algorithm.get_policy_for_loss("agents"))
    with reopened(checkpoint_in(run.folder_name), trust=True) as old:
        found = policy_model(old.algorithm.get_policy_for_loss("agents"))
        networks = agent_networks(found)
    x = torch.randn(2, 4, model.sizes[0])
    y = model._run_agents(x.transpose(0, 1), True).transpose(0, 1)
    for network, rows, expected in zip(networks, x, y, strict=True):
        torch.testing.assert_close(network(rows), expected)
    assert not torch.allclose(*(network(x[0]) for network in networks))


def test_a_group_of_one_agent_stays_a_shared_network(tmp_path):
    run = run_with(tmp_path, 0.5, task=two_groups)
    run.run()
    stages = {
        g: policy_model(run.algorithm.get_policy_for_loss(g)).stage.trained for g in run.group_map
    }
    assert stages == {"adversary": ADAPTERS, "agent": SHARED}


# --- Errors


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5])
def test_fractions_that_leave_a_stage_out_are_refused(fraction):
    with pytest.raises(ValueError, match=rf"between 0 and 1, both excluded, got {fraction}; set"):
        LorasaCallback(fraction)


def test_a_run_without_a_second_stage_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"stage_two_at=0\.9 leaves none of the run's 2 iterat"):
        run_with(tmp_path, 0.9)


def test_policies_of_one_agent_are_refused(tmp_path):
    config = replace(algorithm_config("happo"), share_param_critic=False)
    with pytest.raises(ValueError, match=rf"needs one {Lorasa.__name__} as policy of all 2 agents"):
        run_with(tmp_path, algorithm=config)
