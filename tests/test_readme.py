"""What the README says people can type."""

import re
import shlex
from pathlib import Path

import benchmarl
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support.benchmarl_requests import ALL_MODELS

from benchmarl_hyper.conf_files import CONF

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"python -m (benchmarl(?:_hyper)?)\.run (.+)$", README, re.MULTILINE)
FOLDERS = {
    "benchmarl": (f"{benchmarl.__path__[0]}/conf", "config"),
    "benchmarl_hyper": (CONF, "run"),
}


def test_there_are_commands():
    assert len(COMMANDS) >= 8


@pytest.mark.slow
@pytest.mark.parametrize(("runner", "arguments"), COMMANDS)
def test_commands_compose(runner, arguments):
    """Of a sweep, the first job; a folder of one's own is put on the search path."""
    words = [word for word in shlex.split(arguments) if word != "-m"]
    if words[0] == "--config-dir":
        words[:2] = [f"hydra.searchpath=[pkg://benchmarl.conf,file://{ROOT / words[1]}]"]
    words = [word if "[" in word else word.split(",")[0] for word in words]
    folder, name = FOLDERS[runner]
    with initialize_config_dir(str(folder), version_base=None):
        assert "model" in compose(name, words)


def test_the_yaml_in_it_is_the_example():
    (block,) = re.findall(r"```yaml\n(.+?)```", README, re.DOTALL)
    example = (ROOT / "examples/my_variants/variant/hypermarl_wide.yaml").read_text(
        encoding="utf-8"
    )
    assert yaml.safe_load(block) == yaml.safe_load(example)


def test_every_variant_has_a_row():
    assert set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)) == {*ALL_MODELS}


def test_the_suite_trains_the_variants_of_the_table():
    suite = OmegaConf.load(CONF / "suite" / "quickstart.yaml")
    shown = set(re.findall(r"^vmas/navigation +ippo_(\w+)", README, re.MULTILINE))
    assert set(suite.hydra.sweeper.params.variant.split(",")) == shown
