import json

import pytest
import torch
from support.experiments import experiment

from benchmarl_hyper.diagnostics.step_sizes import StepSizesCallback
from benchmarl_hyper.running.experiment import ResumableExperiment


def trained_weights(run):
    actor = run.algorithm.get_policy_for_loss("agents")
    (model,) = [module for module in actor.modules() if hasattr(module, "agent_parameters")]
    parameters = model.agent_parameters().values(True, True)
    return torch.cat([x.detach().flatten(1) for x in parameters], 1)


@pytest.mark.parametrize("model", ["hypermarl_mlp", "fups", "fups_id", "nops", "kaleidoscope"])
def test_step_sizes_are_changes_between_evaluations(model, tmp_path):
    run = experiment(tmp_path, model, callbacks=[StepSizesCallback()])
    before = trained_weights(run)
    run.run()
    steps = {}
    for entry in recorded(run):
        steps.setdefault(entry["name"], []).append(entry["value"])
    assert {name: len(values) for name, values in steps.items()} == {
        "step_common": 2,
        "step_own": 2,
    }
    assert all(value > 0 for value in steps["step_common"])
    assert all((value > 0) == (model != "fups") for value in steps["step_own"])
    # All of the change, if both steps went in one direction
    change = (trained_weights(run) - before).square().mean().sqrt().item()
    both = [common**2 + own**2 for common, own in zip(*steps.values(), strict=True)]
    assert change <= sum(value**0.5 for value in both) + 1e-6
    assert change >= abs(both[0] ** 0.5 - both[1] ** 0.5) - 1e-6


def recorded(run):
    lines = (run.folder_name / "diagnostics.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if "value" in entry]


def test_step_sizes_of_a_resumed_run_are_those_of_the_whole_one(tmp_path):
    folders = [tmp_path / name for name in ("whole", "half")]
    for folder in folders:
        folder.mkdir()
    settings = {"kind": ResumableExperiment, "checkpoint_interval": 8, "max_n_iters": 3}
    settings |= {"evaluation_interval": 8, "keep_checkpoints_num": None}

    def trained(folder, **changes):
        run = experiment(
            folder, "hypermarl", callbacks=[StepSizesCallback()], **settings, **changes
        )
        run.run()
        return run

    whole = trained(folders[0])
    checkpoint = whole.folder_name / "checkpoints" / "checkpoint_16.pt"
    expected = [entry["value"] for entry in recorded(whole)][-2:]
    resumed = trained(folders[1], restore_file=str(checkpoint))
    assert [entry["value"] for entry in recorded(resumed)][-2:] == expected
