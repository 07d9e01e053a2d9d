from pathlib import Path

import pytest
from support import killed_run
from support.processes import python
from support.sweeps import measured

from benchmarl_hyper.running.records import read_record

KILLS = 20


@pytest.mark.slow
def test_killed_twenty_times_a_run_measures_the_same(tmp_path):
    tests = Path(killed_run.__file__).parents[1]
    output = python(killed_run.__file__, tmp_path, KILLS, cwd=tmp_path, PYTHONPATH=str(tests))
    assert int(output.splitlines()[-1]) >= KILLS / 2  # fewer if it was done before
    assert measured(tmp_path / "killed") == measured(tmp_path / "whole")
    assert read_record(tmp_path / "killed")["attempts"] > 2
