"""What the runner checks before Hydra; tests/test_wrong_inputs.py has the wrong ones."""

import shutil

import pytest
from hydra import initialize_config_module
from omegaconf import OmegaConf

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.running.checks.command_line import SHIPPED, files_in_the_way, prepare
from benchmarl_hyper.running.planning import SWEEPER, planned_jobs


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help", "task=vmas/balance", "algorithm=ippo"],
        ["--help", "+suite=quickstart"],
        ["-m", "task=vmas/balance,games/specialisation_2", "seed=range(3)"],
        ["+suite=games", "scenario=games/synchronisation_8,games/specialisation_8"],
        ["task=glob(*)", "algorithm=glob(m*)"],
        ["algorithm=mappo", "model=layers/mlp", "+suite=quickstart", "~scenario"],
        ["hydra.searchpath=[file:///mine]", "algorithm=mine", "model=mine"],
        ["task=${mine}"],
        ["seed="],
        ["not an override"],
    ],
)
def test_right_command_lines_pass(arguments):
    prepare(arguments)


def test_help_without_a_run_says_what_to_add():
    """Hydra would end in a traceback."""
    with pytest.raises(ValueError, match=r"--help lists all settings of a run.*\+suite=quickstart"):
        prepare(["--help"])


def test_files_of_a_user_are_known(tmp_path):
    file = tmp_path / "algorithm" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("defaults: [mappo_config]\n", encoding="utf-8")
    prepare(["--config-dir", str(tmp_path), "algorithm=mine"])
    with pytest.raises(ValueError, match="unknown algorithm 'mine'"):
        prepare(["algorithm=mine"])


@pytest.mark.parametrize("conf", SHIPPED, ids=["ours", "benchmarl"])
def test_every_shipped_file_would_be_in_the_way(conf, tmp_path):
    shipped = [path.relative_to(conf) for path in conf.glob("*/**/*.yaml")]
    for path in shipped:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(conf / path, tmp_path / path)
    assert list(files_in_the_way(tmp_path)) == []  # copies do no harm
    for path in shipped:
        (tmp_path / path).write_text("mine: 1\n", encoding="utf-8")
    problems = list(files_in_the_way(tmp_path))
    owner = "benchmarl_hyper" if conf == CONF else "benchmarl"
    assert len(problems) == len(shipped) > 50
    assert all(f"is not read, since {owner} has a file of this name; rename" in x for x in problems)


def test_a_primary_configuration_of_another_program_is_not_ours(tmp_path):
    for name in ("config.yaml", "run.yaml"):
        (tmp_path / name).write_text("mine: 1\n", encoding="utf-8")
    assert list(files_in_the_way(tmp_path)) == []


def test_a_suite_that_plans_no_run_is_refused():
    sweeper = {"_target_": SWEEPER, "params": {"variant": "nops,fups", "seed": "range(0)"}}
    config = OmegaConf.create({"hydra": {"sweeper": sweeper, "overrides": {"task": []}}})
    refused = pytest.raises(
        ValueError, match=r"plans no run, since a range in .*seed=range\(0\) is"
    )
    with initialize_config_module("benchmarl_hyper.conf", version_base=None), refused:
        planned_jobs(config)
