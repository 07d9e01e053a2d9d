"""Names and values of our algorithms: registry, YAML, public names, and BenchMARL's composition."""

from dataclasses import fields

import benchmarl
import pytest
import yaml
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.hydra_config import load_algorithm_config_from_hydra
from hydra import compose, initialize_config_dir

import benchmarl_hyper
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.registry import ALGORITHMS


@pytest.mark.parametrize("name", ALGORITHMS)
def test_names_agree(name):
    config = ALGORITHMS[name]
    text = (CONF / "algorithm" / f"{name}.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text).keys() - {"defaults"} == {field.name for field in fields(config)}
    assert algorithm_config_registry[name] is config
    for public in (config, config.associated_class()):
        assert getattr(benchmarl_hyper, public.__name__) is public
        assert public.__name__ in benchmarl_hyper.__all__


def test_there_is_no_yaml_without_an_algorithm():
    assert {path.stem for path in (CONF / "algorithm").glob("*.yaml")} == set(ALGORITHMS)


@pytest.mark.parametrize("name", ["matd3", "itd3", "maa2c", "ia2c"])
def test_benchmarl_composes_it(name):
    with initialize_config_dir(f"{benchmarl.__path__[0]}/conf", version_base=None):
        cfg = compose("config", [f"algorithm={name}", "task=vmas/balance"])
        loaded = load_algorithm_config_from_hydra(cfg.algorithm)
    assert loaded == ALGORITHMS[name].get_from_yaml()


def test_values_of_a_file_replace_the_shipped_ones(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("policy_delay: 5\n", encoding="utf-8")
    config = benchmarl_hyper.Matd3Config.get_from_yaml(str(file))
    assert (config.policy_delay, config.noise_clip) == (5, 0.5)
    file.write_text("policy_delays: 5\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine.yaml: key 'policy_delays' is unknown; did you"):
        benchmarl_hyper.Matd3Config.get_from_yaml(str(file))
