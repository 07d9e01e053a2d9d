import json

import pytest
import torch
from benchmarl.models import GruConfig
from support.experiments import experiment, one_group, two_groups
from support.tiny_task import tiny_task
from tensordict import TensorDict

from benchmarl_hyper.diagnostics import observations
from benchmarl_hyper.diagnostics.callbacks import SndCallback
from benchmarl_hyper.diagnostics.observations import load, record, save
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
    main(["--trust", str(tmp_path / "file.pt"), *map(str, paths)])
    after = {path: path.stat().st_mtime_ns for path in before}
    assert before == after  # the runs were only read
    steps = load(tmp_path / "file.pt")
    assert steps.batch_size == (16,)  # two runs, two environments, four steps
    assert steps["agents", "observation"].shape[:2] == (16, 2)
    assert set(steps["agents"].keys()) == {"observation"}
    assert len(record(paths, max_steps=6, trust=True)) == 6


@pytest.mark.slow
def test_diversity_is_measured_on_the_file(tmp_path):
    file = tmp_path / "file.pt"
    main(["--trust", str(file), str(checkpoint(tmp_path / "nops", "nops", two_groups))])
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
    main(["--trust", str(file), str(checkpoint(tmp_path / "a", "nops"))])
    with pytest.raises(ValueError, match=r"has no \('agents', 'observation'\) of shape \(2, 3\)"):
        experiment(
            tmp_path, "nops", task=tiny_task, callbacks=[SndCallback(observations=str(file))]
        )


def test_runs_on_different_tasks_are_refused(tmp_path):
    paths = [checkpoint(tmp_path / "a", "nops"), checkpoint(tmp_path / "b", "nops", tiny_task)]
    with pytest.raises(ValueError, match=r"observations of .*b/.* differ .* one task at a time"):
        record(paths, trust=True)


@pytest.mark.slow
def test_recurrent_policies_are_refused(tmp_path):
    path = checkpoint(tmp_path / "a", GruConfig.get_from_yaml())
    with pytest.raises(ValueError, match="has a recurrent policy"):
        record([path], trust=True)
    file = tmp_path / "file.pt"
    main(["--trust", str(file), str(checkpoint(tmp_path / "b", "nops"))])
    callback = SndCallback(observations=str(file))
    with pytest.raises(ValueError, match="cannot be used with a recurrent policy"):
        experiment(tmp_path, GruConfig.get_from_yaml(), callbacks=[callback])


# --- What a user can do wrong


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A checkpoint."""
    return checkpoint(tmp_path_factory.mktemp("runs") / "a", "fups", tiny_task)


def test_usage(capsys):
    with pytest.raises(SystemExit):
        main(["file.pt"])
    assert "the following arguments are required: CHECKPOINT" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "can run any code" in " ".join(capsys.readouterr().out.split())


def test_nothing_is_overwritten(one, tmp_path, capsys):
    """A forgotten FILE makes a checkpoint of the file to write."""
    before, mine = one.read_bytes(), tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    for file in (one, mine):
        with pytest.raises(
            SystemExit, match=f"error: {file} is no file of observations, and is not"
        ):
            main(["--trust", str(file), str(one)])
    assert one.read_bytes() == before
    file = tmp_path / "file.pt"
    main(["--trust", str(file), str(one)])
    written = file.read_bytes()
    with pytest.raises(SystemExit, match=r"file.pt has observations already, and is not overwritt"):
        main(["--trust", str(file), str(one)])
    assert file.read_bytes() == written
    main(["--trust", "--force", str(mine), str(one)])
    assert load(mine).keys() == {"agents"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.pt", "mine.txt"]
    capsys.readouterr()


def test_one_step_is_no_steps(one, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(observations, "record", lambda *_, **__: load_one())
    main([str(tmp_path / "file.pt"), str(one)])
    assert capsys.readouterr().out.startswith("wrote 1 step of agents to ")


def load_one():
    return TensorDict({"agents": TensorDict({"observation": torch.zeros(1, 2, 3)}, [1, 2])}, [1])


@pytest.mark.parametrize(
    ("file", "checkpoint", "reason"),
    [
        (
            "new.pt",
            "none.pt",
            r"there is no file .*none.pt; give the path of a checkpoint_<frames>",
        ),
        ("new.pt", ".", r"there is no file .*; give the path of a checkpoint_<frames>.pt"),
        ("folder/new.pt", "one", r"there is no folder .*folder; make it, or name another file"),
        (".", "one", r"is a folder; name a new file first, then the checkpoints"),
        ("new.pt", "one", r"is not in the folder of a run of benchmarl_hyper.run.* use --trust"),
    ],
)
def test_errors_have_one_line(file, checkpoint, reason, one, tmp_path):
    path = one if checkpoint == "one" else tmp_path / checkpoint
    with pytest.raises(SystemExit, match=rf"^error: .*{reason}") as caught:
        main([str(tmp_path / file), str(path)])
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_errors_of_the_run_have_one_line_too(one, tmp_path, monkeypatch):
    """For example, a task whose package is not installed."""

    def fail(*_, **__):
        raise ImportError("No module named 'pettingzoo'")

    monkeypatch.setattr(observations, "record", fail)
    with pytest.raises(SystemExit, match="error: No module named 'pettingzoo'"):
        main([str(tmp_path / "new.pt"), str(one)])


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def half(content, file):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        save(load_one(), tmp_path / "file.pt")
    assert not list(tmp_path.iterdir())


def test_only_files_of_observations_are_loaded(one, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*; record it with python -m"):
        load(tmp_path / "none.pt")
    text, file = tmp_path / "a.txt", tmp_path / "a.pt"
    text.write_text("text", encoding="utf-8")
    contents = [
        {"agents": {}},
        {"agents": torch.zeros(2, 2)},
        {"agents": {"observation": torch.zeros(2)}},
        {"agents": {"a": torch.zeros(2, 2, 3), "b": torch.zeros(3, 2, 3)}},
        {"agents": {"a": torch.zeros(2, 2, 3)}, "others": {"a": torch.zeros(3, 1, 3)}},
        [1],
    ]
    for content in (None, *contents):
        if content is not None:
            torch.save(content, file)
        wrong = file if content is not None else text
        with pytest.raises(ValueError, match=f"{wrong} is not a file of observations; record one"):
            load(wrong)
    with pytest.raises(ValueError, match="is not a file of observations"):
        load(one)
