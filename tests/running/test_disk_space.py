import shutil
from types import SimpleNamespace

import pytest
from support.experiments import experiment, two_groups
from support.resuming import resumable

from benchmarl_hyper.running import disk_space
from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.checkpoint_files import checkpoints_in
from benchmarl_hyper.running.disk_space import bytes_of_checkpoint, bytes_of_checkpoints


@pytest.mark.parametrize(
    ("algorithm", "continuous"), [("mappo", True), ("isac", True), ("vdn", False)]
)
def test_the_estimate_is_near(tmp_path, algorithm, continuous):
    frames = {"off_policy_collected_frames_per_batch": 2000, "off_policy_n_envs_per_worker": 500}
    run = resumable(
        tmp_path,
        "nops",
        algorithm=algorithm,
        task=two_groups,
        continuous=continuous,
        callbacks=[AbsoluteMetricCallback()],
        max_n_iters=2,
        checkpoint_interval=0,
        checkpoint_at_end=True,
        evaluation_interval=4000,
        **frames,
    )
    expected = bytes_of_checkpoint(run)
    run.run()
    (checkpoint,) = checkpoints_in(run.folder_name / "checkpoints")
    assert checkpoint.stat().st_size == pytest.approx(expected, rel=0.15, abs=60_000)


def test_estimating_draws_no_random_numbers_and_needs_no_run(tmp_path):
    run = resumable(tmp_path, "nops", algorithm="iddpg", checkpoint_interval=0)
    assert bytes_of_checkpoint(run) == bytes_of_checkpoint(run) > 0
    run.close()


@pytest.mark.parametrize(
    ("settings", "kept", "at_one_time"),
    [
        ({"checkpoint_interval": 8, "keep_checkpoints_num": 1}, 1, 2),
        ({"checkpoint_interval": 8, "keep_checkpoints_num": 2}, 2, 3),
        ({"checkpoint_interval": 8, "keep_checkpoints_num": None}, 4, 4),
        ({"checkpoint_interval": 32, "keep_checkpoints_num": 2}, 1, 1),
        ({"checkpoint_interval": 0}, 0, 0),
        ({"checkpoint_interval": 0, "checkpoint_at_end": True}, 1, 1),
    ],
)
def test_a_new_checkpoint_and_those_that_are_kept(tmp_path, settings, kept, at_one_time):
    run = experiment(tmp_path, "nops", max_n_iters=4, **settings)
    assert bytes_of_checkpoints(run) == at_one_time * bytes_of_checkpoint(run)
    assert bytes_of_checkpoints(run, 5) == (4 * kept + at_one_time) * bytes_of_checkpoint(run)
    run.close()


def test_what_is_much_is_said_and_what_is_too_much_is_refused_before_training(
    tmp_path, monkeypatch, capsys
):
    run = resumable(tmp_path, "nops")
    monkeypatch.setattr(disk_space, "TELL", 1000)
    disk_space.check_disk_space(run)
    assert "checkpoints will need up to 0.0 GB" in capsys.readouterr().out
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(
        OSError, match=r"will need up to 0.0 GB, but the disk has 0.0 GB left; make"
    ):
        run.run()
    assert run.n_iters_performed == 0


@pytest.mark.parametrize(
    ("tell", "free", "n_runs", "said"),
    [
        (1000, 1e15, 9, "checkpoints of 9 runs like this one will need about 0.0 GB; the disk has"),
        (1e9, 1000, 9, "the disk has 0.0 GB left; make room, or set a smaller experiment.off_pol"),
        (1e9, 1e15, 9, ""),
        (1000, 1e15, 1, ""),
    ],
)
def test_a_sweep_says_what_is_much_or_too_much(
    tell, free, n_runs, said, tmp_path, monkeypatch, capsys
):
    run = resumable(tmp_path, "nops")
    run.close()
    monkeypatch.setattr(disk_space, "TELL", tell)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    capsys.readouterr()
    disk_space.tell_disk_of_sweep(run, n_runs)
    output = capsys.readouterr().out
    assert said in output
    assert bool(said) == bool(output)
    assert ("make room" in output) == (free == 1000)
