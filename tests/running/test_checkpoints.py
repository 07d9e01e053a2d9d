import shutil
import warnings

import pytest
import torch
from support.experiments import experiment, two_groups
from support.run_folders import checkpoint_in, contents

from benchmarl_hyper.diagnostics.callbacks import SndCallback
from benchmarl_hyper.running.checkpoints import reopened
from benchmarl_hyper.running.experiment_parts import policy_model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run = experiment(
        folder,
        "hypermarl_mlp",
        "iddpg",  # off-policy: with replay buffers in the checkpoint
        two_groups,
        callbacks=[SndCallback()],
        checkpoint_at_end=True,
        lr=1e-3,
    )
    run.run()
    return run


def test_the_networks_are_those_of_the_run_and_its_folder_stays(run):
    before = contents(run.folder_name)
    with reopened(checkpoint_in(run.folder_name), trust=True) as twin:
        for group, loss in run.losses.items():
            trained = dict(loss.named_parameters())
            for name, parameter in twin.losses[group].named_parameters():
                assert torch.equal(parameter, trained[name]), name
            # The policy that acts is the one in the loss.
            model, own = (policy_model(e.algorithm.get_policy_for_loss(group)) for e in (run, twin))
            assert all(map(torch.equal, model.parameters(), own.parameters()))
        assert twin.callbacks == []
        folder = twin.folder_name
    assert contents(run.folder_name) == before
    assert not folder.exists()


def test_runs_can_be_moved(run, tmp_path):
    shutil.copytree(run.folder_name, tmp_path / "moved")
    with reopened(checkpoint_in(tmp_path / "moved"), trust=True) as twin:
        assert twin.group_map == run.group_map


def test_what_is_not_there_or_no_checkpoint(run, tmp_path):
    def open_it(path):
        with reopened(path, trust=True):
            pass

    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing.pt; give the path"):
        open_it(tmp_path / "nothing.pt")
    alone = tmp_path / "checkpoints" / "checkpoint_1.pt"
    alone.parent.mkdir()
    shutil.copy(checkpoint_in(run.folder_name), alone)
    with pytest.raises(
        FileNotFoundError, match=r"needs .*config.pkl, where BenchMARL keeps .* no such file"
    ):
        open_it(alone)
    shutil.copy(run.folder_name / "config.pkl", tmp_path)
    alone.write_text("text", encoding="utf-8")
    with pytest.raises(ValueError, match="is not a checkpoint: torch cannot load it"):
        open_it(alone)
    torch.save({"weights": torch.zeros(1)}, alone)
    with pytest.raises(ValueError, match="is not a checkpoint of a BenchMARL experiment"):
        open_it(alone)


def test_reopening_gives_no_warning_that_a_user_cannot_act_on(run):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with reopened(checkpoint_in(run.folder_name), trust=True):
            pass
    assert not [str(one.message) for one in found if "SyncDataCollector" in str(one.message)]
