import json

import pytest
import torch
from benchmarl.models import GruConfig
from support.experiments import experiment, one_group, two_groups
from support.tiny_task import tiny_task

from benchmarl_hyper.diagnostics.callbacks import SndCallback
from benchmarl_hyper.diagnostics.observations import load, record
from benchmarl_hyper.diagnostics.policy_outputs import group_distances
from benchmarl_hyper.observations import main


def checkpoint(folder, model, task=one_group, algorithm="ippo"):
    folder.mkdir()
    run = experiment(folder, model, algorithm, task, checkpoint_at_end=True)
    run.run()
    (path,) = (run.folder_name / "checkpoints").iterdir()
    return path


def test_recorded_steps_are_those_of_all_runs(tmp_path):
    paths = [checkpoint(tmp_path / model, model) for model in ("nops", "fups")]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    main([str(tmp_path / "file.pt"), *map(str, paths)])
    after = {path: path.stat().st_mtime_ns for path in before}
    assert before == after  # the runs were only read
    steps = load(tmp_path / "file.pt")
    assert steps.batch_size == (16,)  # two runs, two environments, four steps
    assert steps["agents", "observation"].shape[:2] == (16, 2)
    assert set(steps["agents"].keys()) == {"observation"}
    assert len(record(paths, max_steps=6)) == 6


@pytest.mark.slow
def test_diversity_is_measured_on_the_file(tmp_path):
    file = tmp_path / "file.pt"
    main([str(file), str(checkpoint(tmp_path / "nops", "nops", two_groups))])
    callback = SndCallback(observations=str(file))
    run = experiment(tmp_path, "nops", "ippo", two_groups, callbacks=[callback])
    run.run()
    with open(run.folder_name / "diagnostics.jsonl", encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    assert {entry["name"] for entry in entries} == {"snd", "snd_loc", "snd_fixed", "snd_loc_fixed"}
    policy = run.algorithm.get_policy_for_loss("adversary")
    with torch.no_grad():
        expected = dict(group_distances(policy, [load(file)], "adversary", "cpu"))
    last = {entry["name"]: entry for entry in entries if entry["group"] == "adversary"}
    for name, matrix in expected.items():
        torch.testing.assert_close(torch.tensor(last[f"{name}_fixed"]["matrix"]), matrix)
    assert list(run.folder_name.rglob("eval_adversary_snd_fixed.csv"))


def test_observations_of_another_task_are_refused(tmp_path):
    file = tmp_path / "file.pt"
    main([str(file), str(checkpoint(tmp_path / "a", "nops"))])
    with pytest.raises(ValueError, match=r"has no \('agents', 'observation'\) of shape \(2, 3\)"):
        experiment(
            tmp_path, "nops", task=tiny_task, callbacks=[SndCallback(observations=str(file))]
        )


def test_runs_on_different_tasks_are_refused(tmp_path):
    paths = [checkpoint(tmp_path / "a", "nops"), checkpoint(tmp_path / "b", "nops", tiny_task)]
    with pytest.raises(ValueError, match=r"observations of .*b/.* differ .* one task at a time"):
        record(paths)


@pytest.mark.slow
def test_recurrent_policies_are_refused(tmp_path):
    path = checkpoint(tmp_path / "a", GruConfig.get_from_yaml())
    with pytest.raises(ValueError, match="has a recurrent policy"):
        record([path])
    file = tmp_path / "file.pt"
    main([str(file), str(checkpoint(tmp_path / "b", "nops"))])
    callback = SndCallback(observations=str(file))
    with pytest.raises(ValueError, match="cannot be used with a recurrent policy"):
        experiment(tmp_path, GruConfig.get_from_yaml(), callbacks=[callback])


def test_usage():
    with pytest.raises(SystemExit, match="usage"):
        main(["file.pt"])
