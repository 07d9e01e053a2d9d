"""What depends on the machine is checked where the job runs."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import open_dict

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.running.checks.preflight import check

GPU = ["experiment.train_device=cuda", "experiment.loggers=[wandb]"]


@pytest.fixture
def checked(monkeypatch):
    """Check a configuration as it is before a job has started, or in the job."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with initialize_config_dir(str(CONF), version_base=None):

        def checking(launcher, number=None, mode=RunMode.MULTIRUN):
            choices = ["algorithm=ippo", "task=vmas/balance", f"hydra/launcher={launcher}"]
            config = compose("run", [*choices, *GPU], return_hydra_config=True)
            config.hydra.mode = mode
            if number is not None:
                config.hydra.job.num = number
            HydraConfig.instance().set_config(config)
            with open_dict(config):
                del config["hydra"]
            check(config, HydraConfig.get().runtime.choices, [])

        yield checking


@pytest.mark.parametrize(
    ("launcher", "number", "mode"),
    [
        ("basic", None, RunMode.RUN),
        ("joblib", None, RunMode.MULTIRUN),
        ("submitit_local", None, RunMode.MULTIRUN),
        ("slurm", 0, RunMode.MULTIRUN),
    ],
)
def test_a_job_on_this_machine_needs_its_devices_here(launcher, number, mode, checked):
    with pytest.raises(
        ValueError, match="train_device=cuda: must be a device of this machine"
    ) as e:
        checked(launcher, number, mode)
    assert "wandb is not installed" in str(e.value)  # all reasons at once


def test_a_job_of_a_cluster_is_checked_there(checked):
    checked("slurm")
