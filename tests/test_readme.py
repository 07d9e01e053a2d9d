"""What the README says people can type."""

import re
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from support.benchmarl_requests import ALL_MODELS

from benchmarl_hyper.conf_files import CONF

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
