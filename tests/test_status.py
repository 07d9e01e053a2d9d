import pytest
from support.planned_runs import run_in
from support.processes import python

from benchmarl_hyper.running.records import write_plan
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.status import CLEAR, SHOWN, main, status, watch


def planned(folder):
    """Four runs of fups and nops with two seeds."""
    write_plan(
        folder,
        [
            folder / "vmas_balance" / f"ippo_{variant}" / f"seed_{seed}"
            for variant in ("fups", "nops")
            for seed in (0, 1)
        ],
    )


def test_it_counts_and_estimates(tmp_path):
    planned(tmp_path)
    run_in(tmp_path, "fups", 0, status="done", frames=100, wall_time_s=600)
    path = run_in(tmp_path, "fups", 1, status="running", frames=50, wall_time_s=300)
    with RunFolder(path).locked():
        shown = status(tmp_path)
    lines = [line.split() for line in shown.splitlines()]
    assert ["vmas/balance", "ippo_fups", "1", "1", "75%"] in lines
    assert "4 runs: 1 done, 1 running, 2 left" in shown
    assert "about 25 min 0 s to go, 1 at a time" in shown


def test_before_anything_is_done(tmp_path):
    planned(tmp_path)
    assert "4 runs: 4 left" in status(tmp_path)
    path = run_in(tmp_path, "fups", 1, frames=25, wall_time_s=3600)
    with RunFolder(path).locked():
        assert "about 15 h 0 min to go" in status(tmp_path)


def test_it_names_what_needs_a_hand(tmp_path):
    planned(tmp_path)
    failed = run_in(tmp_path, "nops", 0, status="failed", error="Traceback\nValueError: no")
    interrupted = run_in(tmp_path, "nops", 1)
    unreadable = run_in(tmp_path, "fups", 1)
    (unreadable / "run.json").write_text("{", encoding="utf-8")
    shown = status(tmp_path)
    assert f"failed: {failed} ValueError: no" in shown
    assert f"interrupted: {interrupted}" in shown
    assert f"unreadable: {unreadable}" in shown
    assert "1 interrupted, 1 failed, 1 unreadable, 1 left" in shown
    assert "no process is at work; running the same command again does the rest" in shown


def test_only_the_first_of_many_problems_are_listed(tmp_path):
    for seed in range(SHOWN + 5):
        run_in(tmp_path, "nops", seed, status="failed", error="no")
    shown = status(tmp_path).splitlines()
    assert sum(line.startswith("failed:") for line in shown) == SHOWN
    assert "and 5 more" in shown


def test_what_is_done_asks_for_nothing(tmp_path):
    run_in(tmp_path, "nops", 0, status="done", frames=100)
    assert status(tmp_path).splitlines()[-1] == "1 run: 1 done"


def test_an_empty_folder(tmp_path):
    with pytest.raises(SystemExit, match=f"no runs in {tmp_path}; give the folder of a sweep"):
        main([str(tmp_path)])


def test_watching_ends_when_nothing_is_running(tmp_path, monkeypatch, capsys):
    path = run_in(tmp_path, "nops", 0, frames=50)
    lock = RunFolder(path).locked()
    lock.__enter__()

    def sleep(seconds):
        RunFolder(path).update(status="done", frames=100)
        lock.__exit__(None, None, None)

    monkeypatch.setattr("benchmarl_hyper.status.time.sleep", sleep)
    main([str(tmp_path), "--watch"])
    assert capsys.readouterr().out.splitlines()[-1] == "1 run: 1 done"


def test_a_terminal_is_cleared_before_the_table_is_shown_again(tmp_path, monkeypatch, capsys):
    run_in(tmp_path, "nops", 0, status="done", frames=100)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    watch(tmp_path)
    assert capsys.readouterr().out == f"{CLEAR}{status(tmp_path)}\n"


def test_it_is_read_while_records_are_written(tmp_path):
    path = run_in(tmp_path, "nops", 0, status="done")
    (path / ".run.json.part").write_text('{"half', encoding="utf-8")
    assert "1 done" in status(tmp_path)


@pytest.mark.parametrize("command", ["status", "report", "tasks"])
def test_commands_that_read_files_start_without_torch_and_benchmarl(command, tmp_path):
    output = python("-X", "importtime", "-m", f"benchmarl_hyper.{command}", "--help", cwd=tmp_path)
    loaded = {line.rpartition("|")[2].strip() for line in output.splitlines() if "|" in line}
    assert "benchmarl_hyper" in loaded
    assert not loaded & {"torch", "benchmarl", "tensordict", "matplotlib", "scipy", "hydra"}
