from dataclasses import dataclass, fields

import benchmarl
import pytest
import yaml
from benchmarl.hydra_config import load_model_config_from_hydra
from benchmarl.models import Mlp, MlpConfig, model_config_registry
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from support.benchmarl_requests import ALL_MODELS

import benchmarl_hyper
from benchmarl_hyper import registry
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.models.common.method_callback import MethodCallback


def shipped(variant):
    return yaml.safe_load(
        (CONF / "model" / "layers" / f"{variant}.yaml").read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("variant", ALL_MODELS)
def test_names_agree(variant):
    config = ALL_MODELS[variant]
    model = config.associated_class()
    assert model_config_registry[variant] is config
    assert shipped(variant)["name"] == variant
    assert variant.replace("_", "") == model.__name__.lower()
    assert config.__name__ == f"{model.__name__}Config"
    assert getattr(benchmarl_hyper, model.__name__) is model
    assert getattr(benchmarl_hyper, config.__name__) is config


@pytest.mark.parametrize("variant", ALL_MODELS)
def test_yaml_keys_are_the_fields_of_the_config(variant):
    keys = shipped(variant).keys() - {"defaults", "name"}
    assert keys == {field.name for field in fields(ALL_MODELS[variant])}


def test_there_is_no_yaml_without_a_model():
    files = {path.stem for path in (CONF / "model" / "layers").glob("*.yaml")}
    assert files == {*ALL_MODELS}


def test_registering_again_changes_nothing():
    before = dict(model_config_registry)
    registry.register()
    benchmarl._load_hydra_schemas()
    registry.register()
    assert model_config_registry == before
    assert model_config_registry["mlp"] is MlpConfig


def test_a_taken_name_is_refused(monkeypatch):
    @dataclass
    class OtherConfig(MlpConfig):
        pass

    monkeypatch.setitem(model_config_registry, "nops", OtherConfig)
    with pytest.raises(ValueError, match=r"model 'nops' is already registered as .*OtherConfig"):
        registry.register()
    assert model_config_registry["nops"] is OtherConfig


def test_a_taken_name_of_a_method_is_refused():
    other = type("SepsCallback", (MethodCallback,), {})
    with pytest.raises(
        ValueError, match=r"method 'seps' is already registered as .*callback\.Seps"
    ):
        registry.register_method(other)
    assert registry.METHODS["seps"] is benchmarl_hyper.registry.SepsCallback


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "seps", "lr": "quick"}, r"method \(seps\): key 'lr': Value 'quick'"),
        (
            {"name": "seps", "epoch": 1},
            r"method \(seps\): key 'epoch' is unknown; did you mean 'epo",
        ),
        ({"name": "seps"}, r"method \(seps\): key '.*': Missing mandatory value"),
        ({"lr": 1}, "unknown method 'None'; the known ones are seps"),
    ],
)
def test_values_of_methods_are_checked(method, message):
    with pytest.raises(ValueError, match=message):
        registry.method_callbacks(method)


def test_values_of_a_file_replace_the_shipped_ones(tmp_path):
    file = tmp_path / "wide.yaml"
    file.write_text(
        "defaults: [hypermarl_mlp, _self_]\nname: hypermarl_mlp\nembedding_dim: 9\n",
        encoding="utf-8",
    )
    config = benchmarl_hyper.HypermarlMlpConfig
    assert config.get_from_yaml(str(file)).embedding_dim == 9
    assert config.get_from_yaml(str(file)).num_cells == config.get_from_yaml().num_cells
    file.write_text("name: hypermarl_mlp\nembeding_dim: 9\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"wide.yaml: key 'embeding_dim' is unknown; did you mean"):
        config.get_from_yaml(str(file))


@pytest.fixture
def benchmarl_compose():
    """Compose BenchMARL's own config; what is ours comes through the plugin alone."""
    with initialize_config_dir(f"{benchmarl.__path__[0]}/conf", version_base=None):
        yield lambda *overrides: compose(
            "config", ["algorithm=ippo", "task=vmas/balance", *overrides]
        )


@pytest.mark.parametrize("variant", ALL_MODELS)
def test_benchmarl_composes_every_variant(variant, benchmarl_compose):
    layer = f"layers/{variant}"
    cfg = benchmarl_compose(f"model={layer}", f"model@critic_model={layer}")
    for part in (cfg.model, cfg.critic_model):
        loaded = load_model_config_from_hydra(part)
        assert loaded == ALL_MODELS[variant].get_from_yaml()


def test_sequences_are_composed_of_ours_and_theirs(benchmarl_compose):
    cfg = benchmarl_compose(
        "model=sequence",
        "model/layers@model.layers.l1=mlp",
        "model/layers@model.layers.l2=nops",
        "model.intermediate_sizes=[4]",
    )
    loaded = load_model_config_from_hydra(cfg.model)
    assert [c.associated_class() for c in loaded.model_configs] == [Mlp, benchmarl_hyper.Nops]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("embedding_dim=abc", "'abc' of type 'str' could not be converted to Integer"),
        ("num_cells=[x]", "'x' of type 'str' could not be converted to Integer"),
        ("bias=maybe", "'maybe' is not a valid bool"),
        ("embeding_dim=4", "Key 'embeding_dim' not in 'HypermarlMlpConfigSchema'"),
    ],
)
def test_wrong_yaml_is_a_typed_error(override, message, benchmarl_compose):
    with pytest.raises(ConfigCompositionException) as error:
        benchmarl_compose("model=layers/hypermarl_mlp", f"model.{override}")
    assert message in str(error.value.__cause__)
