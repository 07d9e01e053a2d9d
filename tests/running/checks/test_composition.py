"""What variants choose; tests/test_wrong_inputs.py has the files that are refused."""

import benchmarl
import pytest
import yaml
from omegaconf import OmegaConf

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.running.checks.composition import ANY, KEYS, variant_choice

VARIANTS = sorted(path.stem for path in (CONF / "variant").glob("*.yaml"))


def place(path, schema="file"):
    return OmegaConf.create({"schema": schema, "path": str(path)})


OURS = place("benchmarl_hyper.conf", "pkg")


@pytest.mark.parametrize("group", ["model", "model@critic_model"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_shipped_variants_choose_both_models(variant, group):
    chosen = variant_choice(variant, group, [OURS])
    assert (CONF / "model" / f"{chosen}.yaml").is_file()


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("defaults: [nops]\n", "layers/nops"),
        ("defaults: [/variant/nops, _self_]\n", "layers/nops"),
        ("defaults: [{override /model: layers/mlp}]\n", "layers/mlp"),
        ("defaults: [nops, {override /model: layers/mlp}]\n", "layers/mlp"),
        ("defaults: [_self_]\n", None),
        ("", None),
        ("defaults: [somewhere/else]\n", ANY),
    ],
)
def test_variants_of_a_user(text, chosen, tmp_path):
    (tmp_path / "variant").mkdir()
    (tmp_path / "variant" / "mine.yaml").write_text(text, encoding="utf-8")
    assert variant_choice("mine", "model", [OURS, place(tmp_path)]) == chosen


def test_all_keys_of_benchmarl_are_known():
    with open(f"{benchmarl.__path__[0]}/conf/config.yaml", encoding="utf-8") as file:
        config = yaml.safe_load(file)
    groups = {
        key.rpartition("@")[2]
        for entry in config.pop("defaults")
        if isinstance(entry, dict)
        for key in entry
    }
    assert groups | config.keys() <= KEYS
