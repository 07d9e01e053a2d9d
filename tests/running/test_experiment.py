from dataclasses import replace

import pytest
import torch
from benchmarl.experiment import Callback, Experiment
from benchmarl.models import model_config_registry
from support.benchmarl_requests import config_of
from support.experiments import ALGORITHMS, TASKS, experiment
from torch import Tensor

from benchmarl_hyper import DicoCallback, KaleidoscopeCallback, SepsCallback
from benchmarl_hyper.running.callbacks import EndCallback
from benchmarl_hyper.running.checkpoints import checkpoints_in
from benchmarl_hyper.running.experiment import ResumableExperiment, derived_seed


def flat(value, prefix=()):
    """Tensors and numbers of a nested state by their path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from flat(part, (*prefix, key))
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            yield from flat(part, (*prefix, i))
    elif hasattr(value, "state_dict") and not isinstance(value, Tensor):
        yield from flat(value.state_dict(), prefix)
    else:
        yield prefix, value


# Times, the numbers of episodes, and where a tensor is, which tensordict does not always store
NOT_COMPARED = {"total_time", "traj_ids", "__device"}


def final_state(run):
    """What a finished run's checkpoint holds, but for times, and for the unused rows of buffers."""
    state = torch.load(checkpoints_in(run.folder_name / "checkpoints")[-1])
    rows = {f"buffer_{g}": len(buffer) for g, buffer in run.replay_buffers.items()}
    return {
        path: value[: rows[path[0]]] if "_storage" in path and isinstance(value, Tensor) else value
        for path, value in flat(state)
        if path[-1] not in NOT_COMPARED
    }


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, Tensor):
            torch.testing.assert_close(actual[key], value, rtol=0, atol=0, equal_nan=True, msg=key)
        else:
            assert actual[key] == value, key


def resumable(folder, model="hypermarl_mlp", **changes):
    folder.mkdir(exist_ok=True)
    return experiment(
        folder,
        model,
        kind=ResumableExperiment,
        **{"max_n_iters": 4, "checkpoint_interval": 16, "lr": 1e-3, **changes},
    )


class Interruption(Callback):
    """Stops a run in its third iteration, after the checkpoint of the second."""

    def on_train_end(self, training_td, group):
        if self.experiment.n_iters_performed == 2:
            raise KeyboardInterrupt


def interrupted_and_resumed(folder, callbacks=list, **settings):
    with pytest.raises(KeyboardInterrupt):
        resumable(folder, callbacks=[*callbacks(), Interruption()], **settings).run()
    (checkpoint,) = folder.glob("*/checkpoints/checkpoint_16.pt")
    again = resumable(folder, callbacks=callbacks(), **settings, restore_file=str(checkpoint))
    again.run()
    return again


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "continuous"), [*ALGORITHMS, ("happo", True)])
def test_a_resumed_run_equals_one_that_was_not_stopped(tmp_path, algorithm, continuous):
    settings = {"algorithm": algorithm, "continuous": continuous}
    if algorithm == "masac" and not continuous:
        settings["task"] = TASKS["global_state"]
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    resumed = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(resumed), final_state(whole))


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
@pytest.mark.parametrize("algorithm", ["ippo", "iddpg"])
@pytest.mark.parametrize(
    ("callback", "changes", "config"),
    [
        (SepsCallback, {"pretraining_frames": 8}, {"n_networks": 2}),
        (SepsCallback, {"pretraining_frames": 24}, {"n_networks": 2}),
        (KaleidoscopeCallback, {"reset_interval": 8}, {"threshold_bias": 0.0}),
        (DicoCallback, {}, {}),
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


@pytest.mark.parametrize(("keep", "kept"), [(None, [8, 16, 24, 32]), (1, [32]), (2, [24, 32])])
def test_old_checkpoints_go_when_the_new_one_is_whole(tmp_path, keep, kept):
    run = resumable(tmp_path, "nops", checkpoint_interval=8, keep_checkpoints_num=keep)
    run.run()
    folder = run.folder_name / "checkpoints"
    assert [path.name for path in checkpoints_in(folder)] == [f"checkpoint_{n}.pt" for n in kept]
    assert len(list(folder.iterdir())) == len(kept)


def test_a_checkpoint_that_could_not_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    run = resumable(tmp_path, "nops", checkpoint_interval=0, keep_checkpoints_num=1)
    run._save_experiment()
    (checkpoint,) = checkpoints_in(run.folder_name / "checkpoints")
    whole = checkpoint.read_bytes()

    def broken(state, path):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="no space left"):
        run._save_experiment()
    assert checkpoints_in(checkpoint.parent) == [checkpoint]
    assert checkpoint.read_bytes() == whole
    run.close()


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
