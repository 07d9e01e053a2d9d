"""Suites and scenarios, composed as their jobs would be."""

from dataclasses import replace

import pytest
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.environments import task_config_registry
from benchmarl.hydra_config import load_experiment_config_from_hydra
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarl_hyper.models import CONF
from benchmarl_hyper.sweep import jobs

SUITES = sorted(path.stem for path in (CONF / "suite").glob("*.yaml"))
SCENARIOS = sorted(
    str(path.relative_to(CONF / "scenario").with_suffix(""))
    for path in (CONF / "scenario").rglob("*.yaml")
    if path.stem != "base"
)


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("run", list(overrides), return_hydra_config=True)


def planned(suite):
    parameters = composed(f"+suite={suite}").hydra.sweeper.params
    return jobs([f"{key}={value}" for key, value in parameters.items()])


def job_of(suite, scenario):
    return next(job for job in planned(suite) if f"scenario={scenario}" in job)


def check(config):
    """What BenchMARL checks before it trains, on the configuration of a job."""
    choices = config.hydra.runtime.choices
    assert choices.task in task_config_registry
    algorithm = algorithm_config_registry[choices.algorithm.removesuffix("_paper")]
    experiment = load_experiment_config_from_hydra(config.experiment)
    replace(experiment, loggers=[]).validate(algorithm.on_policy())


@pytest.mark.parametrize("suite", SUITES)
def test_the_jobs_of_a_suite_fit_together(suite):
    assert composed(f"+suite={suite}").name == suite
    first_of_each = {}
    for job in planned(suite):
        first_of_each.setdefault(next((o for o in job if o.startswith("scenario=")), ""), job)
    for job in first_of_each.values():
        check(composed(f"+suite={suite}", *job))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_is_a_task_with_its_settings(scenario):
    config = composed(f"+scenario={scenario}")
    check(config)
    assert scenario.rpartition("/")[2] in config.hydra.runtime.choices.task


def test_all_tasks_of_the_paper_are_in_its_suite():
    found = {
        composed("+suite=paper", *job).hydra.runtime.choices.task
        for job in planned("paper")
        if "variant=nops" in job and "seed=0" in job
    }
    ours = {"games", "hypervmas", "mamujoco", "smax", "bps"}
    assert found == {task for task in task_config_registry if task.partition("/")[0] in ours}


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_but_the_first_has_a_small_twin_that_states_its_time(suite):
    if suite == "quickstart" or suite.endswith("_small"):
        header = (CONF / "suite" / f"{suite}.yaml").read_text().split("defaults:")[0]
        assert "on 2 cores" in header
    else:
        assert f"{suite}_small" in SUITES


@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite.endswith("_small")])
def test_variants_of_a_suite_differ_in_their_models_alone(suite):
    by_scenario = {}
    for job in planned(suite):
        if "seed=0" not in job:
            continue
        config = composed(f"+suite={suite}", *job)
        fixed = {key: OmegaConf.to_container(config[key]) for key in ("experiment", "task")}
        fixed["algorithm"] = OmegaConf.to_container(config.algorithm)
        fixed["target"] = {
            f"{part}.{key}": config[part].get(key)
            for part in ("model", "critic_model")
            for key in ("num_cells", "activation_class")
        }
        scenario = config.hydra.runtime.choices.task
        assert by_scenario.setdefault(scenario, fixed) == fixed


def test_the_preset_for_slurm():
    launcher = composed(
        "+suite=games", "hydra/launcher=slurm", "hydra.launcher.partition=fast"
    ).hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.cpus_per_task, launcher.partition) == (1, "fast")
    assert launcher.setup == ["export OMP_NUM_THREADS=1"]
