"""How far a sweep is: counted, in a line, and how long it will take."""

from contextlib import ExitStack

import pytest
from support.planned_runs import run_in

from benchmarl_hyper.running.progress import in_a_line, progress_of, seconds_left
from benchmarl_hyper.running.records import write_plan
from benchmarl_hyper.running.run_folder import RunFolder


@pytest.fixture
def locked(tmp_path):
    """A run that this process is working on."""
    with ExitStack() as locks:

        def run(*args, **facts):
            path = run_in(tmp_path, *args, **facts)
            locks.enter_context(RunFolder(path).locked())

        yield run


def test_a_sweep_in_a_line(tmp_path, locked):
    names = [f"vmas_balance/ippo_{v}/seed_{s}" for v in ("fups", "nops") for s in (0, 1)]
    write_plan(tmp_path, [tmp_path / name for name in names])
    assert in_a_line("trial", progress_of(tmp_path)) == "trial  0 of 4 done"
    run_in(tmp_path, "fups", 0, status="done", frames=100, wall_time_s=60)
    locked("fups", 1, frames=20, wall_time_s=12)
    locked("nops", 0, frames=60, wall_time_s=36, **{"return": 0.98})
    assert in_a_line("trial", progress_of(tmp_path)) == (
        "trial  1 of 4 done, 2 running (ippo_nops seed 0: 60%, return 0.98), about 1 min 6 s left"
    )
    run_in(tmp_path, "nops", 1, status="failed", error="no")
    assert ", 1 failed, " in in_a_line("trial", progress_of(tmp_path))


def test_runs_of_other_sweeps_are_left_out(tmp_path):
    run_in(tmp_path, "fups", 0, status="done", frames=100)
    write_plan(tmp_path, [tmp_path / "vmas_balance" / "ippo_nops" / "seed_0"])
    assert progress_of(tmp_path).counts == {"done": 1, "left": 1}
    assert progress_of(tmp_path, planned_alone=True).counts == {"left": 1}


def test_seeds_at_once_take_the_time_of_one_run(tmp_path, locked):
    """Ten seeds have taken 100 seconds together, so ten more take another 100."""
    write_plan(tmp_path, [tmp_path / f"vmas_balance/ippo_nops/seed_{s}" for s in range(20)])
    for seed in range(10):
        run_in(tmp_path, "nops", seed, status="done", wall_time_s=10, seeds_at_once=[*range(10)])
    for seed in range(10, 20):
        locked("nops", seed, frames=0, wall_time_s=0, seeds_at_once=[*range(10, 20)])
    assert seconds_left(progress_of(tmp_path)) == pytest.approx(100)


def test_what_is_done_needs_no_time(tmp_path):
    run_in(tmp_path, "nops", 0, status="done", frames=100, wall_time_s=60)
    assert seconds_left(progress_of(tmp_path)) is None
