import json

import pytest
from support.experiments import experiment
from support.run_folders import contents

from benchmarl_hyper.report.reading import results
from benchmarl_hyper.running import disk_space
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.one_run import perform
from benchmarl_hyper.running.records import write_plan
from benchmarl_hyper.running.run_folder import FolderError, RunFolder

LABELS = {"task": "vmas/navigation", "label": "ippo_nops", "seed": 0, "overrides": []}
SETTINGS = {"experiment": {"lr": 0.01}}


def build(path, checkpoint, callbacks, **changes):
    return experiment(
        path,
        "nops",
        kind=ResumableExperiment,
        callbacks=callbacks,
        restore_file=checkpoint and str(checkpoint),
        **{"checkpoint_interval": 8, **changes},
    )


def failing(path, checkpoint, callbacks):
    run = build(path, checkpoint, callbacks)
    run.optimizers["agents"]["loss_objective"].step = lambda: 1 / 0
    return run


def test_a_run_is_done_and_tells_all_about_itself(tmp_path):
    perform(tmp_path, LABELS, SETTINGS, build)
    record = RunFolder(tmp_path).record()
    assert record.items() >= {**LABELS, "status": "done", "frames": 16, "max_frames": 16}.items()
    assert record["parameters"]["policy"]["agents"] > 0
    assert record["parameters"]["critic"]["agents"] > 0
    assert record["absolute_frames"] in (8, 16)
    assert record["evaluation_episodes"] == 2
    assert record["wall_time_s"] > 0
    assert {"torch", "benchmarl", "benchmarl-hyper"} <= record["versions"].keys()
    assert record["machine"]["device"] == "cpu"


def test_the_first_run_of_a_plan_says_what_all_of_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(disk_space, "TELL", 0)
    paths = [tmp_path / "navigation" / "nops" / f"seed_{seed}" for seed in range(2)]
    write_plan(tmp_path, [*paths, tmp_path / "navigation" / "nops" / "seed_2"])
    for path in paths:
        perform(path, LABELS, SETTINGS, build)
    assert capsys.readouterr().out.count("checkpoints of 3 runs like this one will need") == 1


def test_the_report_reads_it(tmp_path):
    perform(tmp_path, LABELS, SETTINGS, build)
    (run,) = results.read([tmp_path]).runs
    assert (run.task, run.label, run.seed) == ("vmas/navigation", "ippo_nops", "0")
    assert [evaluation.frames for evaluation in run.evaluations] == [8, 16]
    assert len(run.absolute["return"]) == 20
    assert run.settings == SETTINGS


def test_what_is_done_is_skipped_and_not_touched(tmp_path, capsys):
    perform(tmp_path, LABELS, SETTINGS, build)
    before = measured(tmp_path)
    perform(tmp_path, LABELS, SETTINGS, failing)
    assert "already done; skipped" in capsys.readouterr().out
    assert measured(tmp_path) == before


def measured(folder):
    return {file: content for file, content in contents(folder).items() if file.name != ".lock"}


def test_other_settings_are_refused(tmp_path):
    perform(tmp_path, LABELS, SETTINGS, build)
    with pytest.raises(ValueError, match=r"other settings \(experiment.lr: 0.01 there, 1 now\)"):
        perform(tmp_path, LABELS, {"experiment": {"lr": 1}}, build)


def test_a_broken_record_is_refused(tmp_path):
    perform(tmp_path, LABELS, SETTINGS, build)
    (tmp_path / "run.json").write_text('{"half', encoding="utf-8")
    with pytest.raises(FolderError, match=r"run.json cannot be read"):
        perform(tmp_path, LABELS, SETTINGS, build)
    assert (tmp_path / "run.json").read_text(encoding="utf-8") == '{"half'


def test_a_failure_is_recorded_and_repeated_from_the_beginning(tmp_path):
    with pytest.raises(ZeroDivisionError):
        perform(tmp_path, LABELS, SETTINGS, failing)
    record = RunFolder(tmp_path).record()
    assert record["status"] == "failed"
    assert record["error"].splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "Traceback" in record["error"]
    with pytest.raises(ValueError, match=r"no finished runs.*ZeroDivisionError"):
        results.read([tmp_path])
    perform(tmp_path, LABELS, {"experiment": {"lr": 1}}, build)  # nothing is at stake
    record = RunFolder(tmp_path).record()
    assert (record["status"], record["attempts"], record["error"]) == ("done", 2, None)
    assert len(list((tmp_path / "attempts").glob("1/*/config.pkl"))) == 1


def test_what_could_not_be_built_is_recorded(tmp_path):
    def broken(*arguments):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        perform(tmp_path, LABELS, SETTINGS, broken)
    assert RunFolder(tmp_path).record()["status"] == "failed"


def test_what_was_interrupted_continues(tmp_path):
    def interrupted(*arguments):
        run = build(*arguments, max_n_iters=3)
        save = run._save_experiment

        def save_twice():
            save()
            if run.n_iters_performed == 2:
                raise KeyboardInterrupt

        run._save_experiment = save_twice
        return run

    def whole(*arguments):
        return build(*arguments, max_n_iters=3)

    with pytest.raises(KeyboardInterrupt):
        perform(tmp_path / "a", LABELS, SETTINGS, interrupted)
    assert RunFolder(tmp_path / "a").record()["status"] == "running"
    perform(tmp_path / "a", LABELS, SETTINGS, whole)
    perform(tmp_path / "b", LABELS, SETTINGS, whole)
    assert RunFolder(tmp_path / "a").record()["attempts"] == 2
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")
    assert RunFolder(tmp_path / "a").record()["frames"] == 24


def metrics(folder):
    (file,) = (file for file in folder.glob("*/*.json") if file.stem == file.parent.name)
    return json.loads(file.read_text(encoding="utf-8"))


def test_what_others_are_at_is_left_alone(tmp_path, capsys):
    with RunFolder(tmp_path).locked():
        perform(tmp_path, LABELS, SETTINGS, failing)
    assert "another process is working on it; skipped" in capsys.readouterr().out
    assert RunFolder(tmp_path).record() == {}
