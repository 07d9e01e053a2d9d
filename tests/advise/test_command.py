"""The whole command, interrupted and started again."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from support.processes import EIGHT_FRAMES, python

from benchmarl_hyper.advise.__main__ import main

WORDS = [
    *("-m", "benchmarl_hyper.advise", "task=games/specialisation_2", "algorithm=ippo"),
    *("candidates=[fups,nops]", "frames=96", "jobs=2", "experiment.max_n_iters=2"),
    *(*EIGHT_FRAMES, "model.num_cells=[4]", "critic_model.num_cells=[4]"),
]


def test_help_says_what_to_type(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "minutes=20" in capsys.readouterr().out


def test_errors_are_told_in_a_line():
    with pytest.raises(SystemExit, match="error: give one budget"):
        main(["task=vmas/balance"])


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped_and_continues_with_a_larger_budget(tmp_path):
    process = subprocess.Popen([sys.executable, *WORDS], cwd=tmp_path, env={**os.environ})
    while process.poll() is None and not list(tmp_path.rglob("run.json")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 130
    shown = python(*WORDS, cwd=tmp_path)
    assert "3 seeds: fups" in shown
    assert "Report: runs/advise/report/report.html" in shown
    page = (tmp_path / "runs/advise/report/report.html").read_text(encoding="utf-8")
    assert page.index("How much should these agents share?") < page.index("Learning curves</h2>")
    assert len(list(tmp_path.glob("runs/advise/*/*/seed_*/run.json"))) == 6
    larger = [word.replace("frames=96", "frames=128") for word in WORDS]
    assert "4 seeds: fups" in python(*larger, cwd=tmp_path)
    memory = json.loads((tmp_path / "runs/advise/advise.json").read_text(encoding="utf-8"))
    assert memory["looks"] == [3, 4]
    assert 3 < memory["random_play"] < 30
