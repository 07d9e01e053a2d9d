"""The action-space loss of DiCo."""

from dataclasses import replace

import pytest
import torch
from benchmarl.experiment import Experiment
from support.dico_runs import outputs, run_with
from support.experiments import algorithm_config, two_groups

from benchmarl_hyper.diagnostics.policy_outputs import group_distances
from benchmarl_hyper.measures.diversity import snd
from benchmarl_hyper.models.dico.callback import action_space_loss
from benchmarl_hyper.running.experiment_parts import policy_model


def test_what_is_measured_in_evaluation_follows_what_is_asked(tmp_path):
    """The diversity of finished policies, on other observations than those of the estimate."""
    run = run_with(tmp_path, model={"desired_snd": 2.0, "tau": 1.0}, on_policy_minibatch_size=8)
    run.run()
    actor = run.algorithm.get_policy_for_loss("agents")
    rollout = run.test_env.rollout(4, actor)
    with torch.no_grad():
        found = dict(group_distances(actor, [rollout], "agents", "cpu"))
    assert snd(found["snd_loc"]).item() == pytest.approx(2.0, rel=0.2)


def test_checkpoints_keep_the_estimate_and_the_optimiser(tmp_path):
    run = run_with(tmp_path, checkpoint_at_end=True)
    run.run()
    (checkpoint,) = run.folder_name.glob("checkpoints/*")
    again = Experiment.reload_from_file(str(checkpoint))
    models = [policy_model(r.algorithm.get_policy_for_loss("agents")) for r in (run, again)]
    assert models[0].estimate > 0
    assert torch.equal(models[0].estimate, models[1].estimate)
    state = again.callbacks[0].optimisers["agents"].state_dict()["state"]
    assert (
        state[0]["step"] == run.callbacks[0].optimisers["agents"].state_dict()["state"][0]["step"]
    )
    again.close()


def test_the_loss_is_of_the_agent_that_is_furthest_outside():
    low, high = torch.full((2, 2), -1.0), torch.full((2, 2), 1.0)
    inside = torch.tensor([[0.5, -1.0], [1.0, 0.0]])
    outside = torch.tensor([[4.0, -5.0], [2.0, 0.0]])  # by (3, -4) and (1, 0)
    assert action_space_loss(inside, low, high) == 0
    assert action_space_loss(torch.stack([inside, outside]), low, high) == pytest.approx(25 / 2)


def test_the_loss_draws_means_back(tmp_path):
    run = run_with(tmp_path, method={"action_loss_lr": 1e-2}, model={"desired_snd": 20.0})
    batch = next(iter(run.collector)).reshape(-1)
    model = policy_model(run.algorithm.get_policy_for_loss("agents"))
    outputs(model, batch["agents", "observation"])
    estimate = model.estimate.clone()
    losses = [
        run.callbacks[0].on_train_step(batch, "agents")["loss_action_space"] for _ in range(30)
    ]
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(model.estimate, estimate)
    assert all(p.grad is None for p in model.parameters())
    run.close()


def test_there_may_be_no_such_loss(tmp_path):
    run = run_with(tmp_path, method={"action_loss_lr": None})
    run.run()
    names = {file.stem for file in run.folder_name.rglob("train_agents_*.csv")}
    assert {"train_agents_estimated_snd", "train_agents_scaling"} <= names
    assert "train_agents_loss_action_space" not in names


def test_groups_of_one_agent_have_no_callback(tmp_path):
    run = run_with(tmp_path, task=two_groups)
    assert set(run.callbacks[0].optimisers) == {"adversary"}
    run.close()


def test_happo_is_refused(tmp_path):
    config = replace(algorithm_config("happo"), share_param_critic=False)
    with pytest.raises(
        ValueError, match=r"asked for 1 of the 2 agents of group 'agents'.*of happo"
    ):
        run_with(tmp_path, config)
