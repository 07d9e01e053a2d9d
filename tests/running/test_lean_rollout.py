"""What is collected leanly is what torchrl's collector collects, bit for bit."""

from functools import partial

import pytest
import torch
from benchmarl.environments import VmasTask
from benchmarl.experiment import Callback
from benchmarl.models import MlpConfig
from support.experiments import ONE_OF_EACH, TASKS, experiment, trained_parameters
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable
from support.tiny_task import TinyClass
from torch import nn
from torchrl.envs import StepCounter
from torchrl.envs.libs.vmas import VmasEnv

from benchmarl_hyper.running import experiment as experiment_module
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.lean_rollout import LeanRollout, trajectory_numbers
from benchmarl_hyper.tasks.bps import BpsTask
from benchmarl_hyper.tasks.games import GamesTask


class Batches(Callback):
    """Keeps what was collected."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def on_batch_collected(self, batch):
        self.kept.append(batch.clone())


def spread():
    return VmasTask.SIMPLE_SPREAD.get_task({"max_steps": 3, "n_agents": 2, "obs_agents": True})


def ends_early():
    """The package falls after 20 to 60 steps, in each environment at its own time."""
    task = VmasTask.BALANCE.get_from_yaml()
    task.config.update(max_steps=70, n_agents=2)
    return task


TASKS = {
    **TASKS,
    "spread": spread,
    "ends early": ends_early,
    "game": lambda: GamesTask.SPECIALISATION_4.get_task({"horizon": 3}),
    "one step": lambda: GamesTask.SPECIALISATION_2.get_task({"temporal": False}),
    "bps": lambda: BpsTask.BPS_1.get_task({"horizon": 3}),
}


def trained(folder, lean, **settings):
    """A run, and what it collected."""
    folder.mkdir(exist_ok=True)
    batches = Batches()
    settings = {"model": "fups", "evaluation": False, **settings}
    run = experiment(
        folder, kind=partial(ResumableExperiment, lean=lean), callbacks=[batches], **settings
    )
    assert is_lean(run) == lean
    run.run()
    return run, batches.kept


def is_lean(run):
    return isinstance(getattr(run.collector.rollout, "__self__", None), LeanRollout)


def assert_trained_alike(folder, **settings):
    (lean, ours), (plain, theirs) = (
        trained(folder / name, name == "lean", **settings) for name in ("lean", "plain")
    )
    for batch, expected in zip(ours, theirs, strict=True):
        assert_same_batch(batch, expected)
    for one, other in zip(trained_parameters(lean), trained_parameters(plain), strict=True):
        assert torch.equal(one, other)
    return ours


def assert_same_batch(batch, expected):
    assert batch.names == expected.names
    assert batch.device == expected.device
    assert {*batch.keys(True)} == {*expected.keys(True)}
    for key, value in expected.items(True):
        actual = batch.get(key)
        assert actual.shape == value.shape, key
        if isinstance(value, torch.Tensor):
            assert torch.equal(actual, value), key
            assert actual.dtype == value.dtype, key


DISCRETE = ("game", "one step", "bps")  # which have no continuous actions
LONG = {"on_policy_collected_frames_per_batch": 160, "on_policy_minibatch_size": 80}


@pytest.mark.parametrize(
    ("task", "continuous"),
    [(task, kind) for task in TASKS for kind in (True, False) if not (kind and task in DISCRETE)],
)
def test_a_task_is_collected_as_by_torchrl(tmp_path, task, continuous):
    frames = LONG if task == "ends early" else {}
    batches = assert_trained_alike(tmp_path, task=TASKS[task], continuous=continuous, **frames)
    assert any(batch["next", "done"].any() for batch in batches)


@pytest.mark.parametrize("model", ["nops", "hypermarl_mlp", "mlp"])
@pytest.mark.parametrize("continuous", [True, False])
def test_a_model_collects_as_by_torchrl(tmp_path, model, continuous):
    if model == "mlp":
        model = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)
    settings = {"share_policy_params": not isinstance(model, MlpConfig)}
    assert_trained_alike(tmp_path, model=model, continuous=continuous, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "continuous"), ONE_OF_EACH)
def test_an_algorithm_collects_as_by_torchrl(tmp_path, algorithm, continuous):
    assert_trained_alike(tmp_path, algorithm=algorithm, continuous=continuous)


@pytest.mark.parametrize(
    ("algorithm", "continuous"), [("iddpg", True), ("isac", True), ("iql", False)]
)
def test_exploration_and_random_frames_are_torchrls(tmp_path, algorithm, continuous):
    settings = {"off_policy_init_random_frames": 8, "max_n_iters": 3}
    assert_trained_alike(tmp_path, algorithm=algorithm, continuous=continuous, **settings)


def test_a_run_continues_leanly_from_a_checkpoint_of_torchrls_collector(tmp_path, monkeypatch):
    settings = {"model": "fups", "algorithm": "ippo"}
    with monkeypatch.context() as context:
        context.setattr(experiment_module, "collect_leanly", lambda collector: False)
        whole = resumable(tmp_path / "whole", **settings)
        assert not is_lean(whole)
        whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert is_lean(resumed)
    assert_same(final_state(resumed), final_state(whole))


def watched(run, part):
    """How often a part of the policy is called while a batch is collected."""
    calls = []
    part(run.policy).register_forward_hook(lambda *_: calls.append(1))
    next(iter(run.collector))
    run.close()
    return len(calls)


@pytest.mark.parametrize("part", [lambda p: p, lambda p: p[0], lambda p: p[0][-1]])
def test_hooks_of_a_policy_are_called(tmp_path, part):
    run = experiment(tmp_path, "fups", kind=ResumableExperiment)
    assert is_lean(run)
    assert watched(run, part) == 4  # steps


def test_an_environment_whose_step_was_replaced_is_stepped_by_it(tmp_path, monkeypatch):
    """Also in VMAS, whose steps are otherwise taken without its wrapper."""
    calls, step = [], VmasEnv._step

    def counted(self, tensordict):
        calls.append(1)
        return step(self, tensordict)

    monkeypatch.setattr(VmasEnv, "_step", counted)
    run = experiment(tmp_path, "fups", kind=ResumableExperiment)
    assert is_lean(run)
    next(iter(run.collector))
    run.close()
    assert len(calls) == 4


class CountedClass(TinyClass):
    """Each episode's steps are counted by a transform."""

    def get_env_transforms(self, env):
        return [StepCounter()]


NOT_SERVED = {
    "another transform": {"task": lambda: CountedClass("PLACE", {})},
    "a recurrent policy": {"model": "fups_gru"},
}


@pytest.mark.parametrize("settings", NOT_SERVED.values(), ids=NOT_SERVED)
def test_what_is_not_known_to_be_equal_is_collected_by_torchrl(tmp_path, settings):
    run = experiment(tmp_path, **{"model": "fups", **settings}, kind=ResumableExperiment)
    assert not is_lean(run)
    run.run()


def test_collection_with_gradients_has_no_collector(tmp_path):
    experiment(tmp_path, "fups", kind=ResumableExperiment, collect_with_grad=True).run()


def test_trajectories_are_numbered_in_the_order_in_which_they_begin():
    ended = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 1, 1]]).bool()
    during, after = trajectory_numbers(ended, torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5, 6]))
    assert during.tolist() == [[0, 0, 4], [1, 3, 3], [2, 2, 5]]
    assert after.tolist() == [4, 3, 6]
