import json
from types import SimpleNamespace

import pytest
import torch
from benchmarl.experiment import Experiment
from support.experiments import experiment
from support.run_folders import checkpoint_in

from benchmarl_hyper.run_files import write_whole
from benchmarl_hyper.running.recording import (
    ResultsCallback,
    ResultsWriter,
    log_scalars,
    record_matrix,
)


def recorded(run):
    return json.loads(run.logger.json_writer.path.read_text(encoding="utf-8"))["vmas"]["navigation"]


def test_results_are_labelled_also_after_reloading(tmp_path):
    callbacks = [ResultsCallback("mine")]
    run = experiment(tmp_path, "nops", callbacks=callbacks, checkpoint_at_end=True)
    run.run()
    before = recorded(run)
    assert list(before) == ["mine"]
    again = Experiment.reload_from_file(str(checkpoint_in(run.folder_name)))
    again.evaluate()
    again.close()
    after = recorded(again)
    assert list(after) == ["mine"]
    assert after["mine"]["seed_0"].items() >= before["mine"]["seed_0"].items()
    assert after["mine"]["seed_0"]["step_3"]["step_count"] == 16


def test_no_label_without_a_file(tmp_path):
    run = experiment(tmp_path, "nops", callbacks=[ResultsCallback("mine")], create_json=False)
    assert run.logger.json_writer is None
    run.close()


def writer(folder):
    return ResultsWriter(
        folder=folder,
        name="a.json",
        algorithm_name="ippo_nops",
        task_name="t",
        environment_name="e",
        seed=3,
    )


def steps(folder):
    return json.loads((folder / "a.json").read_text(encoding="utf-8"))["e"]["t"]["ippo_nops"][
        "seed_3"
    ]


def test_results_have_no_maxima_over_episodes(tmp_path):
    writer(tmp_path).write(10, {"return": torch.tensor([1.0, 3.0])}, 1)
    assert steps(tmp_path) == {
        "step_1": {"step_count": 10, "return": [1.0, 3.0]},
        "absolute_metrics": {},
    }


def test_metrics_of_one_evaluation_are_put_together(tmp_path):
    results = writer(tmp_path)
    results.write(10, {"return": torch.ones(1)}, 1)
    results.write(10, {"won": torch.zeros(1)}, 1)
    assert steps(tmp_path)["step_1"] == {"step_count": 10, "return": [1.0], "won": [0.0]}


@pytest.mark.parametrize("frames", [10, 15])
def test_nothing_is_overwritten(tmp_path, frames):
    results = writer(tmp_path)
    results.write(10, {"return": torch.ones(1)}, 1)
    results.write(frames, {"return": torch.zeros(1)}, 1)
    results.write(frames, {"won": torch.zeros(1)}, 1)
    expected = {"step_count": frames, "return": [0.0]}
    assert steps(tmp_path)["step_2"].items() >= expected.items()
    assert steps(tmp_path)["step_1"]["return"] == [1.0]


def test_a_second_writer_continues(tmp_path):
    writer(tmp_path).write(10, {"return": torch.ones(1)}, 1)
    again = writer(tmp_path)
    again.write(20, {"return": torch.zeros(1)}, 2)
    again.write_absolute({"return": torch.ones(2)})
    assert [steps(tmp_path)[key]["step_count"] for key in ("step_1", "step_2")] == [10, 20]
    assert writer(tmp_path).run_data["absolute_metrics"] == {"return": [1.0, 1.0]}


def test_a_file_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / "a.txt"
    write_whole(file, "old")
    write_whole(file, "new")
    assert file.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_diagnostics_have_a_line_each(tmp_path):
    run = experiment(tmp_path, "nops")
    run.total_frames = 8
    log_scalars(run, "eval", "agents", {"snd": 0.5, "conflict": float("nan")})
    record_matrix(run, "agents", "m", torch.tensor([[1.0, float("nan")]]))
    lines = (run.folder_name / "diagnostics.jsonl").read_text(encoding="utf-8").splitlines()
    common = {"frames": 8, "group": "agents"}
    assert [json.loads(line) for line in lines] == [
        {**common, "name": "snd", "value": 0.5},
        {**common, "name": "conflict", "value": None},
        {**common, "name": "m", "matrix": [[1.0, None]]},
    ]
    (csv,) = run.folder_name.rglob("eval_agents_snd.csv")
    assert csv.read_text(encoding="utf-8") == "0,0.5\n"
    run.close()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrices_are_written_short_and_read_back_exactly(tmp_path, dtype):
    run = SimpleNamespace(total_frames=0, folder_name=tmp_path)
    matrix = torch.randn(20, 20, dtype=dtype) * 10 ** torch.randint(-30, 30, (20, 20), dtype=dtype)
    matrix[0, :2] = torch.tensor([0.1, 1 / 3], dtype=dtype)
    record_matrix(run, "agents", "m", matrix)
    text = (tmp_path / "diagnostics.jsonl").read_text(encoding="utf-8")
    torch.testing.assert_close(
        torch.tensor(json.loads(text)["matrix"], dtype=dtype), matrix, rtol=0, atol=0
    )
    assert f"[0.1, {'0.33333334' if dtype == torch.float32 else 1 / 3}, " in text


def test_results_are_written_short(tmp_path):
    once = writer(tmp_path)
    once.write(10, {"return": torch.tensor([0.1, 1 / 3]), "won": torch.tensor([True, False])}, 1)
    once.write_absolute({"return": torch.tensor([1 / 3])})
    assert steps(tmp_path)["step_1"] == {
        "step_count": 10,
        "return": [0.1, 0.33333334],
        "won": [True, False],
    }
    assert steps(tmp_path)["absolute_metrics"] == {"return": [0.33333334]}
