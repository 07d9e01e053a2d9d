"""What a variant brings with it besides models."""

import inspect
import pickle
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf
from support.benchmarl_requests import MODELS, config_of

from benchmarl_hyper import DicoCallback, SepsCallback, SndCallback
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.registry import METHODS, method_callbacks
from benchmarl_hyper.run import build, with_sharing_flags


@pytest.fixture
def composed():
    with initialize_config_dir(str(CONF), version_base=None):
        yield lambda *overrides: compose(
            "run", ["algorithm=ippo", "task=vmas/balance", *overrides], return_hydra_config=True
        )


@pytest.mark.parametrize("name", METHODS)
def test_the_variant_brings_its_callback(name, composed):
    cfg = composed(f"variant={name}")
    assert cfg.model.name == name
    (callback,) = method_callbacks(cfg.method)
    assert type(callback) is METHODS[name]
    assert vars(callback) == vars(METHODS[name].get_from_yaml())


@pytest.mark.parametrize("name", METHODS)
def test_yaml_keys_are_the_arguments(name):
    keys = OmegaConf.load(CONF / "method" / f"{name}.yaml").keys() - {"defaults", "name"}
    assert keys == inspect.signature(METHODS[name]).parameters.keys()


@pytest.mark.slow
def test_other_variants_bring_none(composed):
    for name in MODELS.keys() - METHODS.keys():
        assert method_callbacks(composed(f"variant={name}").get("method")) == []


def test_callbacks_for_measuring_are_added(composed, tmp_path):
    cfg = composed("variant=dico", "callbacks=[snd]", "method.action_loss_lr=0.1")
    OmegaConf.set_struct(cfg, False)
    run = build(with_sharing_flags(cfg), "vmas/balance", tmp_path, None, [])
    assert [type(callback) for callback in run.callbacks[:2]] == [DicoCallback, SndCallback]
    assert run.callbacks[0].action_loss_lr == 0.1
    assert run.critic_model_name == "nops"
    run.close()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.epochs=x", "'x' of type 'str' could not be converted to Integer"),
        ("method.epoch=1", "Key 'epoch' not in 'SepsCallbackSchema'"),
        ("model.groups=[[a]]", "Value 'a'"),
    ],
)
def test_wrong_yaml_is_a_typed_error(override, message, composed):
    with pytest.raises(ConfigCompositionException) as error:
        composed("variant=seps", override)
    assert message in str(error.value.__cause__)


def test_groups_are_lists_of_lists(composed):
    groups = composed("variant=seps", "model.groups=[[0,2],[1]]").model.groups
    assert replace(config_of("seps"), groups=OmegaConf.to_object(groups)).groups == [[0, 2], [1]]


def test_values_of_a_file_replace_the_shipped_ones(tmp_path):
    file = tmp_path / "short.yaml"
    file.write_text("defaults: [seps_method, _self_]\nname: seps\nepochs: 3\n", encoding="utf-8")
    callback = SepsCallback.get_from_yaml(str(file), lr=0.5)
    shipped = SepsCallback.get_from_yaml()
    assert callback.settings == {**shipped.settings, "epochs": 3, "lr": 0.5}


def test_unknown_methods_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown method 'sesp'; the known ones are seps, kalei"):
        method_callbacks({"name": "sesp"})


@pytest.mark.parametrize("name", METHODS)
def test_callbacks_are_pickled_without_the_experiment(name):
    callback = METHODS[name].get_from_yaml()
    callback.experiment = object()
    assert pickle.loads(pickle.dumps(callback)).experiment is None
