"""Suites and scenarios, composed as their jobs would be."""

from functools import cache

import pytest
from benchmarl.environments import task_config_registry
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support.extras import needs
from support.planned_runs import sweep

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.running.planning import planned_jobs, refuse_shared_folders

SUITES = sorted(path.stem for path in (CONF / "suite").glob("*.yaml"))
SCENARIOS = sorted(
    str(path.relative_to(CONF / "scenario").with_suffix(""))
    for path in (CONF / "scenario").rglob("*.yaml")
    if path.stem != "base"
)


# The paper's tasks with the settings of other papers
OTHERS = ("bps_a2c/", "mamujoco_td3/")


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("run", list(overrides), return_hydra_config=True)


def scenarios_of(suite):
    """The scenarios that a suite sweeps, if it sweeps any."""
    swept = OmegaConf.load(CONF / "suite" / f"{suite}.yaml").hydra.sweeper.params.get("scenario")
    return swept.replace(" ", "").split(",") if swept else []


@cache
def planned(suite):
    """The jobs of a suite, composed and checked, with one seed.

    Of large ones with one variant; only the paper's suite, which has all of their scenarios, with
    more than the first and last one.
    """
    few = ["seed=0"] if suite.endswith("_small") else ["seed=0", "variant=nops"]
    swept = scenarios_of(suite)
    if len(swept) > 2 and suite != "paper":
        few += [f"scenario={swept[0]},{swept[-1]}"]
    with sweep("runs", f"+suite={suite}", *few, base=()) as config:
        return planned_jobs(config)


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_the_jobs_of_a_suite_fit_together(suite):
    assert {job.settings["name"] for job in planned(suite)} == {suite}
    refuse_shared_folders(planned(suite))


@pytest.mark.slow
def test_a_scenario_is_a_task_with_its_settings():
    jobs = {job.choices["scenario"]: job for job in planned("paper")}
    assert sorted(jobs) == [s for s in SCENARIOS if not s.startswith(OTHERS)]
    for scenario, job in jobs.items():
        assert scenario.rpartition("/")[2] in job.labels["task"]


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_sweeps_known_scenarios(suite):
    assert {*scenarios_of(suite)} <= {*SCENARIOS}


@pytest.mark.slow
def test_all_tasks_of_the_paper_are_in_its_suite():
    found = {job.labels["task"] for job in planned("paper")}
    ours = {"games", "hypervmas", "mamujoco", "smax", "bps"}
    tasks = {task for task in task_config_registry if task.partition("/")[0] in ours}
    assert found == tasks - {"hypervmas/coverage_4"}  # which is not the paper's


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_but_the_first_has_a_small_twin_that_states_its_time(suite):
    if suite == "quickstart" or suite.endswith("_small"):
        header = (
            (CONF / "suite" / f"{suite}.yaml").read_text(encoding="utf-8").split("defaults:")[0]
        )
        assert "on 2 cores" in header
    else:
        assert f"{suite}_small" in SUITES


@pytest.mark.slow
@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite.endswith("_small")])
def test_variants_of_a_suite_differ_in_their_models_alone(suite):
    by_task = {}
    for job in planned(suite):
        fixed = {key: job.settings[key] for key in ("experiment", "task", "algorithm")}
        fixed["target"] = {
            f"{part}.{key}": job.settings[part].get(key)
            for part in ("model", "critic_model")
            for key in ("num_cells", "activation_class")
        }
        assert by_task.setdefault(job.labels["task"], fixed) == fixed


@needs("slurm")
def test_the_preset_for_slurm():
    launcher = composed(
        "+suite=games", "hydra/launcher=slurm", "hydra.launcher.partition=fast"
    ).hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.cpus_per_task, launcher.partition) == (1, "fast")
    assert launcher.setup == ["export OMP_NUM_THREADS=1"]


@pytest.mark.parametrize(
    ("variant", "own", "critics_own"),
    [
        ("hypermarl_one_hot", {"embedding_dim": None}, {"embedding_dim": None}),
        ("hypermarl_mlp_unit", {"code_norm": "unit"}, {"code_norm": "unit"}),
        ("hypermarl_mlp_h16", {"hypernet_cells": [16]}, {"hypernet_cells": [16]}),
        ("fups_id_no_state", {"use_observation": False}, {}),
    ],
)
def test_a_variant_of_a_variant_changes_one_setting(variant, own, critics_own):
    ablation = composed("algorithm=ippo", "task=vmas/balance", f"variant={variant}")
    for part, changes in ((ablation.model, own), (ablation.critic_model, critics_own)):
        shipped = OmegaConf.load(CONF / "model" / "layers" / f"{part.name}.yaml")
        plain = {key: value for key, value in shipped.items() if key != "defaults"}
        assert OmegaConf.to_container(part) == {**plain, **changes}


@pytest.mark.slow
def test_no_variant_is_another_one_by_a_different_name():
    seen = {}
    for path in sorted((CONF / "variant").glob("*.yaml")):
        config = composed("algorithm=ippo", "task=vmas/balance", f"variant={path.stem}")
        models = OmegaConf.to_yaml(config.model), OmegaConf.to_yaml(config.critic_model)
        assert seen.setdefault(models, path.stem) == path.stem


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "key", "labels"),
    [
        ("embedding_sizes_small", "embedding_dim", ["d1", "d2", "d4", "d8", "d16", "d64"]),
        ("hypernet_sizes_small", "hypernet_cells", ["h4", "h16", "h64", "h256"]),
    ],
)
def test_sweeps_over_sizes_label_what_they_change_in_both_models(suite, key, labels):
    jobs = planned(suite)
    assert [job.labels["label"] for job in jobs] == [f"ippo_hypermarl_mlp_{x}" for x in labels]
    for job in jobs:
        assert job.settings["model"][key] == job.settings["critic_model"][key]
