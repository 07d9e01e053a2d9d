"""Models and tasks of composed configurations, in declared types."""

import benchmarl
import pytest
from benchmarl.hydra_config import load_model_config_from_hydra, load_task_config_from_hydra
from benchmarl.models import Mlp, model_config_registry
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarl_hyper import Nops
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.running import parts
from benchmarl_hyper.running.parts import missing_package, model_from, part_problems, task_from
from benchmarl_hyper.tasks.games import GamesClass

SHIPPED = [CONF, *(type(CONF)(path) / "conf" for path in benchmarl.__path__)]
FILES = {path.stem: path for conf in SHIPPED for path in (conf / "model" / "layers").glob("*.yaml")}


@pytest.mark.parametrize("name", FILES)
def test_models_are_those_that_benchmarl_builds(name):
    values = OmegaConf.load(FILES[name])
    values.pop("defaults", None)
    assert model_from(values, "model") == load_model_config_from_hydra(values)


def test_every_model_of_ours_and_benchmarls_is_tried():
    assert set(FILES) >= {"mlp", "gru", "nops", "hypermarl_mlp"}
    assert set(FILES) == set(model_config_registry) & set(FILES)


def mlp(**changes):
    values = OmegaConf.load(FILES["mlp"])
    return OmegaConf.merge(values, changes)


def test_values_get_their_types_without_a_schema():
    values = OmegaConf.load(FILES["hypermarl_mlp"])
    del values["defaults"]
    assert model_from(OmegaConf.merge(values, {"bias": "False"}), "model").bias is False
    assert model_from(mlp(num_cells=["8"]), "model").num_cells == [8]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_cells": [8, 0]}, r"model \(mlp\): num_cells=\[8, 0\]: must be positive whole"),
        ({"num_cells": "wide"}, r"model \(mlp\): key 'num_cells': "),
        ({"cells": 1}, r"model \(mlp\): key 'cells' is unknown"),
        ({"layer_class": "torch.nn.Lin"}, r"model \(mlp\): layer_class=torch.nn.Lin: "),
        (
            {"name": "mpl"},
            "model.name=mpl: unknown model 'mpl'; did you mean 'mlp'; the known .*plugins=",
        ),
    ],
)
def test_wrong_values_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        model_from(mlp(**changes), "model")


def test_missing_values_are_named():
    values = mlp()
    del values["activation_class"]
    with pytest.raises(ValueError, match=r"model \(mlp\): key 'activation_class' is missing; give"):
        model_from(values, "model")


def sequence(sizes, *names):
    layers = {name: OmegaConf.load(FILES[kind]) for name, kind in names}
    for layer in layers.values():
        layer.pop("defaults", None)
    return OmegaConf.create({"layers": layers, "intermediate_sizes": sizes})


def test_sequences():
    loaded = model_from(sequence([4], ("l1", "mlp"), ("l2", "nops")), "model")
    assert [config.associated_class() for config in loaded.model_configs] == [Mlp, Nops]
    assert loaded.intermediate_sizes == [4]


@pytest.mark.parametrize(
    ("sizes", "second", "message"),
    [
        ([4, 4], "l2", r"model.intermediate_sizes=\[4, 4\]: must hold 1 size"),
        ([4], "l3", "model.layers: must be called l1, l2, got l1, l3"),
    ],
)
def test_wrong_sequences_are_refused(sizes, second, message):
    with pytest.raises(ValueError, match=message):
        model_from(sequence(sizes, ("l1", "mlp"), (second, "nops")), "model")


@pytest.fixture(scope="module")
def composed():
    with initialize_config_dir(str(CONF), version_base=None):
        tasks = ("vmas/balance", "games/specialisation_2")
        return {task: compose("run", ["algorithm=ippo", f"task={task}"]) for task in tasks}


@pytest.fixture
def cfg(composed):
    return composed["vmas/balance"]


def test_tasks(cfg):
    loaded = task_from(cfg.task, "vmas/balance")
    assert loaded == load_task_config_from_hydra(cfg.task, "vmas/balance")
    assert (
        task_from(OmegaConf.create({**cfg.task, "n_agents": "2"}), "vmas/balance").config[
            "n_agents"
        ]
        == 2
    )
    with pytest.raises(ValueError, match="task=vmas/balance: key 'agents' is unknown"):
        task_from(OmegaConf.create({"agents": 1}), "vmas/balance")
    with pytest.raises(ValueError, match=r"task=vmas/balanse: unknown task; .*plugins="):
        task_from(cfg.task, "vmas/balanse")


def test_packages_that_are_missing_or_too_new(cfg, monkeypatch, tmp_path):
    places = {}
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(parts, "find_spec", lambda name: places.get(name))
    assert missing_package("games", "specialisation_2") == ""
    assert missing_package("vmas", "balance") == "vmas"
    assert missing_package("pettingzoo", "simple_tag") == "'pettingzoo[mpe]==1.24.3'"
    places["pettingzoo"] = spec  # too new: without its MPE
    assert missing_package("pettingzoo", "waterworld") == "'pettingzoo[sisl]==1.24.3'"
    (tmp_path / "mpe").mkdir()
    (tmp_path / "mpe" / "all_modules.py").touch()
    assert missing_package("pettingzoo", "simple_tag") == ""
    assert list(part_problems(cfg, "vmas/balance")) == [
        "task=vmas/balance: needs a package; run: pip install vmas"
    ]
    assert list(part_problems(cfg, "vmas/balance", here=False)) == []


def test_packages_of_our_tasks(composed, monkeypatch):
    games = composed["games/specialisation_2"]
    assert list(part_problems(games, "games/specialisation_2")) == []
    monkeypatch.setattr(GamesClass, "modules", ("no_such_package",))
    monkeypatch.setattr(GamesClass, "extra", "some", raising=False)
    assert list(part_problems(games, "games/specialisation_2")) == [
        "task=games/specialisation_2: needs no_such_package; run: "
        "pip install 'benchmarl-hyper[some]'"
    ]
