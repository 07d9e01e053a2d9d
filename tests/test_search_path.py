"""No file of a user's folder replaces one of BenchMARL's or ours."""

import warnings

import benchmarl
import pytest
from hydra import compose, initialize_config_dir, initialize_config_module
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl

from hydra_plugins.benchmarl_hyper.search_path import BenchmarlHyperSearchPath


@pytest.fixture
def folder(tmp_path):
    """A project with files that all have names of BenchMARL's, and are nothing like them."""
    for name in ("config", "experiment/base_experiment", "model/layers/mlp", "algorithm/ippo"):
        file = tmp_path / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine: 1\n", encoding="utf-8")
    return tmp_path


def test_benchmarls_files_are_composed_whatever_lies_in_the_folder(folder):
    choices = ["algorithm=ippo", "task=vmas/balance", "model@critic_model=layers/mlp"]
    with initialize_config_module("benchmarl_hyper.conf", version_base=None):
        expected = compose("run", choices)
        found = compose("run", [*choices, f"hydra.searchpath=[file://{folder}]"])
    assert found == expected


def paths(main):
    search_path = ConfigSearchPathImpl()
    search_path.append("main", main)
    BenchmarlHyperSearchPath().manipulate_search_path(search_path)
    return [element.path for element in search_path.get_path()]


def test_our_runner_gets_benchmarls_files_and_others_get_ours():
    ours, benchmarls = "pkg://benchmarl_hyper.conf", "pkg://benchmarl.conf"
    assert paths(ours) == [ours, benchmarls]
    assert paths(benchmarls) == [benchmarls, ours]


def test_benchmarls_runner_warns_of_files_that_ours_hide(tmp_path, monkeypatch):
    (tmp_path / "algorithm").mkdir()
    (tmp_path / "algorithm" / "happo.yaml").write_text("mine: 1\n", encoding="utf-8")
    (tmp_path / "algorithm" / "mappo.yaml").write_text("mine: 1\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["run.py", "--config-dir", str(tmp_path), "algorithm=happo"])
    with pytest.warns(UserWarning, match=r"happo.yaml is not read, since benchmarl_hyper has a fi"):
        paths("pkg://benchmarl.conf")
    monkeypatch.setattr("sys.argv", ["run.py", "algorithm=happo"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths("pkg://benchmarl.conf")


def test_an_absolute_folder_of_ours_is_ours():
    with initialize_config_dir(f"{benchmarl.__path__[0]}/conf", version_base=None):
        assert compose("config", ["algorithm=happo", "task=vmas/balance"]).algorithm.lmbda == 0.9
