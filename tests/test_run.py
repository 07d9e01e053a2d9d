import json

import pytest
from benchmarl.experiment import Experiment
from experiments import experiment
from omegaconf import OmegaConf

from benchmarl_hyper.callbacks import VariantLabelCallback
from benchmarl_hyper.run import with_sharing_flags

SHARING = {"share_param_critic": False, "coupled_discrete_values": False}


@pytest.mark.parametrize(
    ("algorithm", "overrides", "expected"),
    [
        ({"share_param_critic": True, "lr": 1}, [], {"share_param_critic": False, "lr": 1}),
        ({"lr": 1}, [], {"lr": 1}),
        (
            {"share_param_critic": True, "coupled_discrete_values": True},
            ["seed=1", "algorithm.share_param_critic=True"],
            {"share_param_critic": True, "coupled_discrete_values": False},
        ),
    ],
)
def test_sharing_flags_are_set_where_the_algorithm_has_them(algorithm, overrides, expected):
    cfg = OmegaConf.create({"algorithm": algorithm, "sharing": SHARING})
    assert with_sharing_flags(cfg, overrides).algorithm == expected
    assert cfg.algorithm == algorithm


def labels(run):
    with open(run.logger.json_writer.path) as file:
        return list(json.load(file)["vmas"]["navigation"])


def test_results_are_labelled_also_after_reloading(tmp_path):
    callbacks = [VariantLabelCallback("mine")]
    run = experiment(tmp_path, "nops", callbacks=callbacks, checkpoint_at_end=True)
    run.run()
    assert labels(run) == ["ippo_mine"]
    (checkpoint,) = (run.folder_name / "checkpoints").iterdir()
    again = Experiment.reload_from_file(str(checkpoint))
    again.evaluate()
    again.close()
    assert labels(again) == ["ippo_mine"]


def test_no_label_without_a_file(tmp_path):
    callbacks = [VariantLabelCallback("mine")]
    run = experiment(tmp_path, "nops", callbacks=callbacks, create_json=False)
    assert run.logger.json_writer is None
    run.close()
