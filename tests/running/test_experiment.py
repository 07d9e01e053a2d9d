import shutil
from dataclasses import replace

import pytest
from benchmarl.experiment import Callback, Experiment
from benchmarl.models import model_config_registry
from support.benchmarl_requests import config_of
from support.experiments import ONE_OF_EACH, TASKS, experiment
from support.resuming import (
    Interruption,
    assert_same,
    assert_small,
    final_state,
    flat,
    interrupted_and_resumed,
    resumable,
)

from benchmarl_hyper import DicoCallback, KaleidoscopeCallback, SepsCallback
from benchmarl_hyper.running.callbacks import EndCallback
from benchmarl_hyper.running.checkpoint_files import checkpoints_in
from benchmarl_hyper.running.experiment import ResumableExperiment, derived_seed


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "continuous"), ONE_OF_EACH)
def test_a_resumed_run_equals_one_that_was_not_stopped(tmp_path, algorithm, continuous):
    settings = {"algorithm": algorithm, "continuous": continuous}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))
    assert_small(whole)


def test_a_resumed_run_equals_one_that_was_not_stopped_also_off_vmas(tmp_path):
    """Environments one by one, each with a generator of its own."""
    settings = {"task": TASKS["global_state"], "algorithm": "ippo"}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "continuous"), [("mappo", True), ("qmix", False)])
def test_a_resumed_run_equals_one_that_was_not_stopped_also_with_hidden_states(
    tmp_path, algorithm, continuous
):
    settings = {"model": "hypermarl_gru", "algorithm": algorithm, "continuous": continuous}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("callback", "changes", "config", "algorithm"),
    [
        (SepsCallback, {"pretraining_frames": 8}, {"n_networks": 2}, "iddpg"),
        (SepsCallback, {"pretraining_frames": 24}, {"n_networks": 2}, "ippo"),
        (KaleidoscopeCallback, {"reset_interval": 8}, {"threshold_bias": 0.0}, "ippo"),
        (KaleidoscopeCallback, {"reset_interval": 8}, {"threshold_bias": 0.0}, "iddpg"),
        (DicoCallback, {}, {}, "ippo"),
    ],
)
def test_a_method_is_resumed_with_what_it_has_learned(
    callback, changes, config, algorithm, tmp_path
):
    model = model_config_registry[callback.method()].get_from_yaml()
    settings = {
        "model": replace(model, num_cells=[8, 8], **config),
        "critic_model": config_of("nops"),
        "algorithm": algorithm,
    }

    def callbacks():
        return [callback.get_from_yaml(**changes)]

    whole = resumable(tmp_path / "whole", callbacks=callbacks(), **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", callbacks, **settings)
    assert_same(final_state(resumed), final_state(whole))


def test_without_checkpoints_it_is_benchmarls_experiment(tmp_path):
    states = []
    for kind in (Experiment, ResumableExperiment):
        run = experiment(tmp_path, "nops", kind=kind, max_n_iters=3)
        run.run()
        states.append(dict(flat(run.losses["agents"].state_dict())))
    assert_same(*states)


def test_a_checkpoint_of_benchmarl_continues(tmp_path):
    run = experiment(tmp_path, "nops", checkpoint_at_end=True)
    run.run()
    (checkpoint,) = checkpoints_in(run.folder_name / "checkpoints")
    again = resumable(tmp_path, "nops", restore_file=str(checkpoint))
    again.run()
    assert again.n_iters_performed == 4


class Ends(EndCallback):
    def __init__(self):
        super().__init__()
        self.evaluated, self.ended = [], []

    def on_evaluation_end(self, rollouts):
        self.evaluated.append(self.experiment.total_frames)

    def on_training_end(self):
        self.ended.append(self.experiment.total_frames)


@pytest.mark.parametrize(
    ("interval", "iterations", "evaluated"),
    [(8, 2, [8, 16]), (16, 3, [8, 16, 24]), (16, 1, [8]), (800, 2, [8, 16])],
)
def test_training_ends_with_an_evaluation(tmp_path, interval, iterations, evaluated):
    ends = Ends()
    settings = {"evaluation_interval": interval, "max_n_iters": iterations}
    run = resumable(tmp_path, "nops", callbacks=[ends], **settings, checkpoint_interval=0)
    run.run()
    assert ends.evaluated == evaluated
    assert ends.ended == [8 * iterations]


def test_training_that_was_stopped_has_not_ended(tmp_path):
    ends = Ends()
    with pytest.raises(KeyboardInterrupt):
        resumable(tmp_path, "nops", callbacks=[Interruption(), ends]).run()
    assert ends.ended == []


def test_seeds_are_derived_from_seed_and_purpose():
    seeds = {derived_seed(seed, purpose) for seed in range(20) for purpose in range(20)}
    assert len(seeds) == 400
    assert max(seeds) < 2**31
    assert derived_seed(1, 2) == derived_seed(1, 2)


class Moves(Callback):
    """Does something to the folder of its run, in the second iteration."""

    def __init__(self, move):
        super().__init__()
        self.move = move

    def on_train_end(self, training_td, group):
        if self.experiment.n_iters_performed == 1:
            self.move(self.experiment.folder_name)


def removed(folder):
    shutil.rmtree(folder)


def renamed(folder):
    folder.rename(folder.with_name("elsewhere"))


def replaced(folder):
    renamed(folder)
    folder.mkdir()
    (folder / "config.pkl").write_bytes(b"")


@pytest.mark.parametrize("move", [removed, renamed, replaced])
@pytest.mark.parametrize(
    "next_write", [{}, {"evaluation_interval": 80}, {"evaluation": False, "checkpoint_interval": 0}]
)
def test_a_run_notices_when_its_folder_is_gone(tmp_path, move, next_write):
    settings = {"checkpoint_interval": 8, "callbacks": [Moves(move)], **next_write}
    run = resumable(tmp_path, "nops", **settings)
    with pytest.raises(FileNotFoundError, match=r"was removed, renamed or replaced while its run"):
        run.run()
    assert run.n_iters_performed in (1, 2)
    left = [file.name for file in run.folder_name.glob("*")]
    assert left == (["config.pkl"] if move is replaced else [])
