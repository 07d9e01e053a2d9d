import json

import pytest

from benchmarl_hyper import report


def write_run(folder, label, seed, returns, name="run"):
    steps = {
        f"step_{i}": {"step_count": 100 * i, "return": values} for i, values in enumerate(returns)
    }
    results = {"vmas": {"navigation": {label: {f"seed_{seed}": {**steps, "absolute_metrics": {}}}}}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(results))


def test_reads_the_mean_of_the_last_evaluation(tmp_path):
    write_run(tmp_path / "a" / "b", "ippo_nops", 3, [[0.0, 9.0], [1.0, 2.0]])
    (tmp_path / "other.json").write_text('{"not": ["ours"]}')
    assert list(report.read_runs(tmp_path)) == [
        report.Run("vmas/navigation", "ippo_nops", "seed_3", 1.5)
    ]


def test_evaluations_are_ordered_by_frames_and_not_by_name(tmp_path):
    write_run(tmp_path, "ippo_nops", 0, [[float(i)] for i in range(12)])
    assert next(report.read_runs(tmp_path)).final_return == 11.0


def test_summary_has_a_line_per_task_and_label(tmp_path):
    for seed, value in enumerate([1.0, 2.0, 3.0]):
        write_run(tmp_path / f"nops_{seed}", "ippo_nops", seed, [[value]])
    write_run(tmp_path / "fups_0", "ippo_fups", 0, [[-1.25]])
    lines = [" ".join(line.split()) for line in report.summary(tmp_path).splitlines()]
    assert lines[2] == "vmas/navigation ippo_fups 1 -1.250 - -1.250 .. -1.250"
    assert lines[3] == "vmas/navigation ippo_nops 3 2.000 -0.484 .. 4.484 1.000 .. 3.000"


def test_an_empty_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=f"no results in {tmp_path}"):
        report.summary(tmp_path)


def test_a_half_written_file_is_named(tmp_path):
    write_run(tmp_path, "ippo_nops", 0, [[1.0]])
    file = tmp_path / "run.json"
    file.write_text(file.read_text()[:30])
    with pytest.raises(ValueError, match=r"run\.json is not JSON .*half-written"):
        report.summary(tmp_path)


def test_prints_one_table_per_folder(tmp_path, capsys):
    for name in ("one", "two"):
        write_run(tmp_path / name, f"ippo_{name}", 0, [[1.0]])
    report.main([str(tmp_path / "one"), str(tmp_path / "two")])
    printed = capsys.readouterr().out
    assert "ippo_one" in printed
    assert "ippo_two" in printed
    with pytest.raises(SystemExit, match="usage"):
        report.main([])
