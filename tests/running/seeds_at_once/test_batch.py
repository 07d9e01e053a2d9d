"""Seeds that are trained at once become what they become alone."""

from types import SimpleNamespace

import pytest
import torch
from benchmarl.environments import VmasTask
from benchmarl.models import MlpConfig
from support.benchmarl_requests import config_of
from support.experiments import evaluations, two_groups
from support.seed_batches import alone, batch, copies, distance
from torch import nn

from benchmarl_hyper.running.callbacks import RunCallback
from benchmarl_hyper.running.seeds_at_once import batch as seeds_at_once
from benchmarl_hyper.tasks.bps import BpsTask
from benchmarl_hyper.tasks.games import GamesTask
from benchmarl_hyper.tasks.hypervmas import HyperVmasTask

ROUNDING = 1e-4  # a hundredth of a learning rate


def spread():
    return VmasTask.SIMPLE_SPREAD.get_task({"max_steps": 4})


def falling():
    """Episodes end early, at another step in each environment."""
    return VmasTask.BALANCE.get_task(
        {"max_steps": 90, "n_agents": 2, "random_package_pos_on_line": True, "package_mass": 5}
    )


def short(task):
    task = task.get_from_yaml()
    task.config["horizon"] = 4
    return task


def game():
    return short(GamesTask.SPECIALISATION_4)


def blind():
    return short(BpsTask.BPS_1)


def abilities():
    return HyperVmasTask.COVERAGE_4.get_task({"max_steps": 4})


MLP = MlpConfig([8], nn.Linear, nn.Tanh)
CAPABLE = config_of("hypermarl_mlp", codes="both", capability_indices=[0, 1])
LONG = {
    "on_policy_n_envs_per_worker": 4,
    "on_policy_collected_frames_per_batch": 160,
    "on_policy_minibatch_size": 60,
    "evaluation_interval": 160,
}
CASES = {
    "fups": ("fups", spread, {}),
    "mlp": (MLP, spread, {"share_policy_params": True}),
    "mlp without sharing": (MLP, spread, {"share_policy_params": False}),
    "hypermarl_mlp": ("hypermarl_mlp", spread, {"algorithm": "mappo"}),
    "hypermarl": ("hypermarl", spread, {}),
    "one-hot embeddings": (config_of("hypermarl_mlp", embedding_dim=None), spread, {}),
    "chosen steps, linear": (config_of("hypermarl_linear", step_norm="unit"), spread, {}),
    "chosen steps, low rank": (config_of("hypermarl_lowrank", step_norm="unit"), spread, {}),
    "hypermarl_lowrank": ("hypermarl_lowrank", spread, {"algorithm": "ippo_paper"}),
    "shared_trunk": ("shared_trunk", spread, {}),
    "cash": ("cash", spread, {}),
    "capability codes": (CAPABLE, spread, {}),
    "coverage": ("nops", abilities, {}),
    "early ends": ("nops", falling, LONG),
    "two groups": ("fups_id", two_groups, {"algorithm": "mappo_paper"}),
    "game": ("hypermarl_linear", game, {"continuous": False}),
    "bps": ("fups_id", blind, {"continuous": False, "algorithm": "mappo"}),
    "stochastic evaluation": ("nops", spread, {"evaluation_deterministic_actions": False}),
    "static evaluation": ("nops", spread, {"evaluation_static": True}),
    "clipped values": ("nops", spread, {"clip_grad_norm": False, "clip_grad_val": 1e-3}),
    "not clipped": ("nops", spread, {"clip_grad_val": None}),
    "segments": ("nops", spread, {"checkpoint_interval": 8, "max_n_iters": 3}),
    "no evaluation": ("nops", spread, {"evaluation": False}),
}
QUICK = ("hypermarl_mlp", "game")


def ids(names):
    return [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", ids(CASES))
def test_each_seed_is_trained_as_alone(name, tmp_path):
    model, task, settings = CASES[name]
    settings = {"task": task, **settings}
    together = batch(tmp_path, model, **settings)
    together.run()
    # Whatever shifts or mixes rows shows in the last seed
    for run in together.runs if name in QUICK else together.runs[-1:]:
        one = alone(tmp_path, model, run.seed, **settings)
        assert distance(run, one) < ROUNDING
        if run.config.evaluation:
            for mine, others in zip(evaluations_of(run), evaluations_of(one), strict=True):
                assert mine == pytest.approx(others, rel=1e-4, abs=1e-5)


def test_a_rollout_of_all_seeds_generates_once(tmp_path):
    together = batch(tmp_path, "hypermarl_mlp", evaluation=False)
    calls = []
    modules = together.runs[0].policy.modules()
    (generator,) = [part.generator for part in modules if hasattr(part, "generator")]
    generator.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    together.run()
    assert calls.count(False) == 2  # iterations, each of four steps


class Noise(RunCallback):
    """Replaces the rewards of one seed by noise."""

    def on_batch_collected(self, batch):
        batch["next", "agents", "reward"].normal_()


@pytest.mark.filterwarnings("ignore:No episode terminated")
@pytest.mark.parametrize("task", [spread, pytest.param(falling, marks=pytest.mark.slow)])
def test_what_happens_to_one_seed_does_not_depend_on_the_others(task, tmp_path):
    settings = LONG if task is falling else {}
    (tmp_path / "noisy").mkdir()
    quiet = batch(tmp_path, "hypermarl_mlp", task=task, **settings)
    noisy = batch(
        tmp_path / "noisy",
        "hypermarl_mlp",
        task=task,
        **settings,
        callbacks_of=lambda index: [Noise()] if index == 1 else [],
    )
    quiet.run()
    noisy.run()
    moved = [distance(*pair) for pair in zip(quiet.runs, noisy.runs, strict=True)]
    assert moved[1] > 1e-3
    assert max(moved[0], moved[2]) < 1e-7


def test_parameters_of_each_seed_are_its_own(tmp_path):
    together = batch(tmp_path, "nops")
    before = [copies(run) for run in together.runs]
    together.run()
    for run, old in zip(together.runs, before, strict=True):
        for now, then in zip(copies(run), old, strict=True):
            assert now.shape == then.shape
            assert not now.equal(then)
    assert distance(together.runs[0], together.runs[1]) > 1e-3


def evaluations_of(run):
    return [
        number
        for step in evaluations(run, run.seed)
        for value in step.values()
        for number in (value if isinstance(value, list) else [value])
    ]


REASONS = {
    "masks actions": {"action_mask_spec": object()},
    "has transforms of its environment": {"lean": False},
    "has transforms of what is sampled": {"transforms": [object()]},
}


@pytest.mark.parametrize("reason", REASONS)
def test_tasks_that_would_mix_seeds_are_refused(reason, monkeypatch):
    given = {"action_mask_spec": None, "lean": True, "transforms": [], **REASONS[reason]}
    monkeypatch.setattr(seeds_at_once, "can_step_leanly", lambda env: given["lean"])
    run = SimpleNamespace(
        environments=SimpleNamespace(training=lambda run: (None, None), seeds=[3, 5]),
        action_mask_spec=given["action_mask_spec"],
        replay_buffers={"agents": SimpleNamespace(_transform=given["transforms"])},
        task_name="mine",
    )
    with pytest.raises(ValueError, match=rf"task mine {reason}.*-m seed=3,5"):
        seeds_at_once.refuse_what_depends_on_all_rows(run)
