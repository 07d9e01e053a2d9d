import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml

from benchmarl_hyper.running.rewind import rewind
from benchmarl_hyper.running.run_folder import RunFolder

SETTINGS = {"experiment": {"lr": 0.1, "train_device": "cpu"}, "model": {"name": "nops"}, "seed": 0}


def begun(path, **facts):
    folder = RunFolder(path)
    with folder.locked():
        folder.begin(SETTINGS, facts)
    return folder


def experiment_in(folder, name="ippo_x", checkpoints=(20,)):
    """What BenchMARL leaves: two evaluations, scalars of four iterations of ten frames."""
    path = folder.path / name
    (path / "checkpoints").mkdir(parents=True)
    (path / name / "scalars").mkdir(parents=True)
    (path / "config.pkl").write_bytes(b"")
    steps = {f"step_{n}": {"step_count": 20 * n, "return": [float(n)]} for n in (1, 2)}
    steps["absolute_metrics"] = {"return": [9.0]}
    results = {"vmas": {"navigation": {"ippo_nops": {"seed_0": steps}}}}
    (path / f"{name}.json").write_text(json.dumps(results), encoding="utf-8")
    (path / name / "scalars" / "a.csv").write_text("0,1.5\n1,2.5\n2,3.5\n3,4", encoding="utf-8")
    lines = [json.dumps({"frames": frames, "name": "snd"}) for frames in (10, 20, 30)]
    (path / "diagnostics.jsonl").write_text("\n".join([*lines, '{"frames": 4']), encoding="utf-8")
    for frames in checkpoints:
        state = {"state": {"total_frames": frames, "n_iters_performed": frames // 10}}
        torch.save(state, path / "checkpoints" / f"checkpoint_{frames}.pt")
    return path


def test_a_record_says_what_it_was_told(tmp_path):
    folder = begun(tmp_path / "a" / "b", label="ippo_nops")
    folder.update(frames=5)
    record = folder.record()
    assert record.items() >= {"label": "ippo_nops", "status": "running", "frames": 5}.items()
    assert record["attempts"] == 1
    assert yaml.safe_load((folder.path / "config.yaml").read_text(encoding="utf-8")) == SETTINGS
    folder.update(status="failed", error="x")
    again = begun(tmp_path / "a" / "b", label="ippo_nops").record()
    assert (again["attempts"], again["error"], again["status"]) == (2, None, "running")
    assert "frames" not in again


def test_a_folder_has_one_worker(tmp_path):
    with RunFolder(tmp_path).locked() as first, RunFolder(tmp_path).locked(timeout=0) as second:
        assert first
        assert not second
    with RunFolder(tmp_path).locked(timeout=0) as again:
        assert again


@pytest.mark.slow
def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from benchmarl_hyper.running.run_folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked():\n"
        "    print('locked', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while "locked" not in process.stdout.readline():
            time.sleep(0.01)
        with RunFolder(tmp_path).locked(timeout=0) as free:
            assert not free
        os.kill(process.pid, signal.SIGKILL)
    with RunFolder(tmp_path).locked() as free:
        assert free


@pytest.mark.parametrize(
    ("status", "checkpoints", "expected"),
    [
        ("running", (20, 100), "checkpoint_100.pt"),
        ("running", (), None),
        ("failed", (20,), "checkpoint_20.pt"),
        ("done", (20,), None),
    ],
)
def test_what_was_interrupted_continues_at_its_last_checkpoint(
    tmp_path, status, checkpoints, expected
):
    folder = begun(tmp_path)
    folder.update(status=status)
    experiment_in(folder, checkpoints=checkpoints)
    found = folder.checkpoint()
    assert (found and found.name) == expected


def test_no_checkpoint_without_a_run(tmp_path):
    assert RunFolder(tmp_path).checkpoint() is None


def test_other_settings_are_refused_and_named(tmp_path):
    folder = begun(tmp_path)
    folder.update(status="done")
    folder.refuse_other_settings(SETTINGS, busy=False)
    elsewhere = {**SETTINGS["experiment"], "train_device": "cuda", "loggers": ["wandb"]}
    folder.refuse_other_settings({**SETTINGS, "experiment": elsewhere, "name": "x"}, busy=False)
    changed = {"experiment": {**elsewhere, "lr": 0.2}, "model": {"name": "fups"}, "seed": 0}
    message = (
        r"other settings \(experiment.lr: 0.1 there, 0.2 now; "
        r"model.name: nops there, fups now\); give the new run another label"
    )
    with pytest.raises(ValueError, match=message):
        folder.refuse_other_settings(changed, busy=False)
    folder.update(status="running")
    folder.refuse_other_settings(changed, busy=False)  # without a checkpoint, nothing is at stake
    with pytest.raises(ValueError, match=message):
        folder.refuse_other_settings(changed, busy=True)
    folder.update(status="failed")
    folder.refuse_other_settings(changed, busy=True)


def test_resuming_keeps_a_copy_and_takes_back_what_will_be_redone(tmp_path):
    folder = begun(tmp_path)
    path = experiment_in(folder)
    before = {
        file.name: file.read_text(encoding="utf-8")
        for file in path.rglob("*.*")
        if file.suffix != ".pt"
    }
    folder.put_aside(folder.checkpoint())
    copy = tmp_path / "attempts" / "1" / path.name
    assert before == {file.name: file.read_text(encoding="utf-8") for file in copy.rglob("*.*")}
    steps = json.loads((path / "ippo_x.json").read_text(encoding="utf-8"))["vmas"]["navigation"][
        "ippo_nops"
    ]
    assert steps["seed_0"] == {
        "step_1": {"step_count": 20, "return": [1.0]},
        "absolute_metrics": {},
    }
    assert (path / path.name / "scalars" / "a.csv").read_text(encoding="utf-8") == "0,1.5\n1,2.5\n"
    lines = (path / "diagnostics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["frames"] for line in lines] == [10, 20]
    assert len(list((path / "checkpoints").iterdir())) == 1


def test_a_copy_is_made_once(tmp_path):
    """Killed between the copy and the new attempt, it is put aside a second time."""
    folder = begun(tmp_path)
    path = experiment_in(folder)
    folder.put_aside(folder.checkpoint())
    (copy,) = (tmp_path / "attempts" / "1").iterdir()
    whole = (copy / f"{path.name}.json").read_text(encoding="utf-8")
    folder.put_aside(folder.checkpoint())
    assert (copy / f"{path.name}.json").read_text(encoding="utf-8") == whole
    assert "step_2" in whole


def test_repeating_moves_everything_away(tmp_path):
    folder = begun(tmp_path)
    path = experiment_in(folder)
    folder.put_aside(None)
    assert not path.exists()
    assert (tmp_path / "attempts" / "1" / path.name / "ippo_x.json").is_file()


def test_rewinding_to_the_end_changes_evaluations_in_nothing(tmp_path):
    folder = begun(tmp_path)
    path = experiment_in(folder, checkpoints=(40,))
    before = json.loads((path / "ippo_x.json").read_text(encoding="utf-8"))
    rewind(path, path / "checkpoints" / "checkpoint_40.pt")
    after = json.loads((path / "ippo_x.json").read_text(encoding="utf-8"))
    before["vmas"]["navigation"]["ippo_nops"]["seed_0"]["absolute_metrics"] = {}
    assert after == before
