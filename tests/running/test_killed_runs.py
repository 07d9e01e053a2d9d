import pytest
from support import killed_run
from support.sweeps import measured

from benchmarl_hyper.running.records import read_record

KILLS = 10


@pytest.mark.slow
def test_killed_ten_times_a_run_measures_the_same(tmp_path):
    assert killed_run.kills("alone", tmp_path, KILLS) >= KILLS / 2
    assert measured(tmp_path / "killed/seed_0") == measured(tmp_path / "whole/seed_0")
    assert read_record(tmp_path / "killed/seed_0")["attempts"] > 2
