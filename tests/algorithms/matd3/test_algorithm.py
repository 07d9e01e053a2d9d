"""MATD3 and ITD3 as algorithms: delays, noise, training and resuming."""

import pytest
from benchmarl.experiment import Callback, Experiment
from support.benchmarl_requests import ALL_MODELS, all_trained, config_of
from support.experiments import TASKS, algorithm_config, check_training, experiment
from support.happo_runs import equal, tensors
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper import KaleidoscopeCallback

NAMES = ["matd3", "itd3"]
DELAY = 3


class Steps(Callback):
    """Policy, critics and targets of a group after each optimiser step."""

    parts = ("actor", "qvalue", "target_actor", "target_qvalue")

    def on_setup(self):
        self.seen = [self.now()]

    def on_train_step(self, batch, group):
        self.seen.append(self.now())

    def now(self):
        loss = self.experiment.losses["agents"]
        found = {part: getattr(loss, f"{part}_network_params") for part in self.parts}
        return {part: [x.clone() for x in found[part].data.values(True, True)] for part in found}


@pytest.mark.parametrize(
    "changes", [{}, {"soft_target_update": False, "hard_target_update_frequency": 1}]
)
def test_policy_and_targets_wait_for_their_turn(changes, tmp_path):
    steps = Steps()
    config = algorithm_config("matd3", policy_delay=DELAY)
    experiment(
        tmp_path, "nops", config, callbacks=[steps], off_policy_n_optimizer_steps=6,
        max_n_iters=2, evaluation=False, **changes,
    ).run()  # fmt: skip
    for i, (old, new) in enumerate(zip(steps.seen, steps.seen[1:], strict=False), 1):
        assert not equal(old["qvalue"], new["qvalue"])
        assert equal(old["actor"], new["actor"]) == (i % DELAY != 0)
        if i % DELAY:
            assert equal(old["target_actor"], new["target_actor"])
            assert equal(old["target_qvalue"], new["target_qvalue"])
        elif not changes:
            assert not equal(old["target_actor"], new["target_actor"])
            assert not equal(old["target_qvalue"], new["target_qvalue"])
    assert not equal(steps.seen[0]["target_actor"], steps.seen[-1]["target_actor"])


def test_exploration_noise_is_constant(tmp_path):
    run = experiment(tmp_path, "fups", algorithm_config("itd3", exploration_noise=0.1))
    layer = run.group_policies["agents"][-1]
    calm = run.test_env.reset().expand(1000, 2).clone()
    with set_exploration_type(ExplorationType.DETERMINISTIC):
        plain = run.policy(calm.clone())["agents", "action"]
    layer.step(3)
    with set_exploration_type(ExplorationType.RANDOM):
        noisy = run.policy(calm.clone())["agents", "action"]
    assert plain.abs().max() < 0.5  # far from where actions are clipped
    assert (noisy - plain).std().item() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("task", ["one_group", pytest.param("two_groups", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_trains_on(task, name, tmp_path):
    check_training(experiment(tmp_path, "hypermarl_mlp", name, TASKS[task]))


@pytest.mark.slow
@pytest.mark.parametrize("model", ALL_MODELS)
def test_every_variant_is_policy_and_critic(model, tmp_path):
    name = NAMES[len(model) % 2]
    critic = config_of("nops") if model == "dico" else None  # which writes actions alone
    check_training(experiment(tmp_path, all_trained(model), name, critic_model=critic))


@pytest.mark.parametrize(("name", "task"), [("matd3", "one_group"), ("itd3", "two_groups")])
def test_a_resumed_run_waits_as_long_as_one_that_was_not_stopped(name, task, tmp_path):
    """The checkpoint comes in between two steps of the policy."""
    settings = {
        "algorithm": algorithm_config(name, policy_delay=4),
        "task": TASKS[task],
        "off_policy_n_optimizer_steps": 3,
        "model": "nops",
    }
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))


def test_benchmarls_own_checkpoints_hold_the_count(tmp_path):
    run = experiment(tmp_path, "nops", "itd3", checkpoint_at_end=True, max_n_iters=1)
    run.run()
    (checkpoint,) = run.folder_name.glob("checkpoints/*")
    again = Experiment.reload_from_file(str(checkpoint))
    assert again.losses["agents"].n_updates.item() == 2
    assert equal(tensors(again.losses["agents"]), tensors(run.losses["agents"]))
    again.close()


def test_thresholds_of_kaleidoscope_rest_with_the_policy(tmp_path):
    steps, method = Steps(), KaleidoscopeCallback.get_from_yaml(beta_mode="fixed", beta=1.0)
    run = experiment(
        tmp_path, config_of("kaleidoscope", threshold_bias=0.0), "matd3",
        critic_model=config_of("fups_id"), callbacks=[method, steps], evaluation=False,
    )  # fmt: skip
    run.run()
    assert method.last["agents"]["beta"].item() == 1.0
    moved = [
        not equal(a["actor"], b["actor"]) for a, b in zip(steps.seen, steps.seen[1:], strict=False)
    ]
    assert moved == [False, True, False, True]
