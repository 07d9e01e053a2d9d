"""Whole sweeps in processes of their own that fail, are refused or interrupted."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from support.forks import forked, output_of, started
from support.sweeps import ALONE, SHORT

from benchmarl_hyper.running.run_folder import RunFolder

pytestmark = pytest.mark.slow


def test_others_go_on_when_one_cannot_begin_or_fails(tmp_path):
    """Of three seeds, one is done, one's folder is a file, and another process is at one."""
    folder = tmp_path / "runs" / "quickstart" / "vmas_navigation" / "ippo_nops"
    folder.mkdir(parents=True)
    (folder / "seed_0").write_text("", encoding="utf-8")
    with RunFolder(folder / "seed_1").locked():
        code, output = forked(*SHORT, "seed=0,1,2", cwd=tmp_path)
    assert code == 1
    first, *reasons = output.splitlines()[-3:]
    assert first == "2 of 3 runs are not done:"
    assert "seed_0" in reasons[0]
    assert "seed_1" in reasons[1]
    record = json.loads((folder / "seed_2" / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "done"


def test_a_sweep_over_settings_without_labels_is_refused_as_a_whole(tmp_path):
    code, output = forked(*SHORT, "experiment.lr=0.001,0.002", cwd=tmp_path)
    assert code == 1
    assert "(experiment.lr: 0.001 and 0.002). Nothing has been started" in output
    assert "_lr${experiment.lr}'" in output.splitlines()[-1]
    assert not list(tmp_path.rglob("run.json"))


def test_a_run_with_other_settings_is_answered_with_a_command_that_works(tmp_path):
    output_of(*ALONE, cwd=tmp_path)
    code, output = forked(*ALONE, "experiment.lr=0.002", cwd=tmp_path)
    assert code == 1
    assert "Traceback" not in output
    assert "experiment.lr: 0.001 there, 0.002 now" in output
    shown = output.splitlines()[-1]
    # In a shell, as people do
    subprocess.run(shown.replace("python", sys.executable, 1), shell=True, cwd=tmp_path, check=True)
    assert list(tmp_path.glob("runs/quickstart/vmas_navigation/ippo_nops_lr0.002/seed_0/run.json"))


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(tmp_path):
    log = tmp_path / "log"
    process = started(*ALONE, "experiment.max_n_frames=1200000", cwd=tmp_path, output=log)
    try:
        for _ in range(3000):
            if list(tmp_path.rglob("checkpoint_*.pt")):
                break
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        process.join(60)
        assert process.exitcode == 130
    finally:
        process.kill()
    said = log.read_text(encoding="utf-8")
    assert (
        "\nInterrupted. What is finished is kept, and so is the last checkpoint of each run.\n"
        "Run the same command again to go on.\n"
    ) in said
    assert "Traceback" not in said
    (record,) = tmp_path.rglob("run.json")
    assert json.loads(record.read_text(encoding="utf-8"))["status"] == "running"
