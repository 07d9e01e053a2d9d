"""One reader for YAML: every key of every file of ours, read from Python and by Hydra."""

from dataclasses import fields
from types import NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmarl_hyper import HypermarlMlpConfig
from benchmarl_hyper.conf_files import CONF, read_yaml, typed_values, yaml_type
from benchmarl_hyper.registry import ALGORITHMS, CONFIGS, METHODS
from benchmarl_hyper.tasks.families import TASKS


def owners():
    """Group, name, schema and reader of every typed file that we ship."""
    for config in CONFIGS:
        yield "model/layers", config.model_name(), config.yaml_schema(), config.get_from_yaml
    for name, config in ALGORITHMS.items():
        yield "algorithm", name, config, config.get_from_yaml
    for name, callback in METHODS.items():
        yield "method", name, callback.yaml_schema(), callback.get_from_yaml
    for task in TASKS:
        task_class, name = task.associated_class(), f"{task.env_name()}/{task.name.lower()}"
        yield "task", name, task_class.config_class(task.name), task.get_from_yaml


OWNERS = {f"{group}/{name}": (schema, read) for group, name, schema, read in owners()}


def wrong_value(hint):
    """A value that no file may have for a key of this type."""
    if get_origin(hint) in (list, dict):
        return "text"
    return [1] if hint is str else "text"


def bare(hint):
    """The type without null."""
    arguments = [each for each in get_args(hint) if each is not NoneType]
    return arguments[0] if type(None) in get_args(hint) else hint


def test_every_typed_file_has_a_reader():
    files = [
        path.relative_to(CONF).with_suffix("").as_posix()
        for group in ("model/layers", "algorithm", "method", "task")
        for path in (CONF / group).rglob("*.yaml")
    ]
    assert sorted(files) == sorted(OWNERS)


def test_everything_is_typed():
    for schema, _ in OWNERS.values():
        assert Any not in get_type_hints(schema).values(), schema


@pytest.mark.parametrize("owner", OWNERS)
def test_a_wrong_type_is_refused_with_file_and_key(owner, tmp_path):
    schema, read = OWNERS[owner]
    file = tmp_path / "mine.yaml"
    for key, hint in get_type_hints(schema).items():
        wrong = {key: wrong_value(bare(hint))}
        file.write_text(yaml.safe_dump(wrong), encoding="utf-8")
        with pytest.raises(ValueError, match=rf"mine\.yaml: key '{key}': "):
            read(str(file))
        with pytest.raises(OmegaConfBaseException) as error:  # as Hydra does
            OmegaConf.merge(OmegaConf.structured(schema), wrong)
        assert error.value.full_key == key


@pytest.mark.parametrize("owner", OWNERS)
def test_an_unknown_key_is_refused_with_file_and_key(owner, tmp_path):
    schema, read = OWNERS[owner]
    key = fields(schema)[-1].name
    (tmp_path / "mine.yaml").write_text(f"{key}x: 1\n", encoding="utf-8")
    message = rf"mine\.yaml: key '{key}x' is unknown; did you mean '{key}'\? The known keys are .*"
    with pytest.raises(ValueError, match=message):
        read(str(tmp_path / "mine.yaml"))


def spellings(key, hint):
    """Values that PyYAML and Hydra could read differently."""
    kind = bare(hint)
    texts = {float: ["1e-2", "'0.5'"], int: ["4", "'4'"], bool: ["'False'", "yes", "0"]}
    found = texts.get(kind, [])
    if get_origin(kind) is list and get_args(kind) == (int,):
        found = [*found, "['8', 4]", "[]"]
    return [*found, *(["null"] if kind is not hint else [])]


def test_python_and_hydra_read_the_same_values(tmp_path):
    """All files are composed at once, each in a package of its own."""
    written = {}
    by_schema = {schema: owner for owner, (schema, _) in OWNERS.items()}
    for schema, owner in by_schema.items():
        group = owner.rpartition("/")[0] if owner.startswith("model") else owner.partition("/")[0]
        shipped = read_yaml(CONF / f"{owner}.yaml")
        schema_name = read_schema_name(owner)
        for number in range(3):
            values = dict(shipped)
            lines = [f"defaults: [{schema_name}, _self_]"]
            for key, hint in get_type_hints(schema).items():
                texts = spellings(key, hint)
                if key in values and number < len(texts):
                    values.pop(key)
                    lines.append(f"{key}: {texts[number]}")
            name = f"{owner.replace('/', '_')}_{number}"
            file = tmp_path / group / f"{name}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            rest = yaml.safe_dump(values) if values else ""
            file.write_text("\n".join([*lines, rest]), encoding="utf-8")
            written[name] = (group, schema, file)
    defaults = [f"/{group}/{name}@{name}" for name, (group, _, _) in written.items()]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"defaults": defaults}), encoding="utf-8")
    with initialize_config_dir(str(tmp_path), version_base=None):
        cfg = compose("all")
    for name, (_, schema, file) in written.items():
        assert OmegaConf.to_container(cfg[name]) == typed_values(schema, file), name


def read_schema_name(owner):
    text = (CONF / f"{owner}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["defaults"][0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("num_cells: [1", "mine.yaml is not valid YAML: "),
        ("- 1\n", "mine.yaml must map keys to values, for example 'num_cells"),
        ("name: nops\n", "mine.yaml: name is 'nops', but these are values of 'hypermarl_mlp'"),
        ("num_cells: [0]\n", r"mine.yaml: num_cells must be positive whole numbers, got \[0\]"),
        ("activation_class: torch.nn.Tahn\n", "mine.yaml: activation_class=torch.nn.Tahn: .* name"),
        ("activation_class: torch.relu\n", "activation_class=torch.relu is no class;"),
        ("out_gain: ${nothing}\n", "mine.yaml: key 'out_gain': Interpolation key 'nothing'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_file(content, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        HypermarlMlpConfig.get_from_yaml(str(tmp_path / "mine.yaml"))


def test_text_is_no_truth(tmp_path):
    (tmp_path / "mine.yaml").write_text("bias: 'False'\nout_gain: 1e-2\n", encoding="utf-8")
    config = HypermarlMlpConfig.get_from_yaml(str(tmp_path / "mine.yaml"))
    assert config.bias is False
    assert config.out_gain == 0.01


def test_a_file_for_another_method_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: dico\n", encoding="utf-8")
    with pytest.raises(ValueError, match="name is 'dico', but these are values of 'seps'"):
        METHODS["seps"].get_from_yaml(str(tmp_path / "mine.yaml"))


def test_a_value_that_a_task_refuses_comes_with_the_file(tmp_path):
    task = next(task for task in TASKS if task.env_name() == "games")
    (tmp_path / "mine.yaml").write_text("game: chess\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine.yaml: game must be one of .*got 'chess'"):
        task.get_from_yaml(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int | None, int | None),
        (type[int], str),
        (Union[float, str], Union[float, str]),  # noqa: UP007
        (list[int] | int, Any),
        (dict, Any),
    ],
)
def test_types_in_yaml(hint, expected):
    assert yaml_type(hint) == expected


def test_schemas_are_found_by_their_name():
    """As a worker process does, which unpickles them."""
    for config in CONFIGS:
        schema = config.yaml_schema()
        assert ConfigStore.instance().load(f"model/{config.model_name()}_config.yaml").node
        assert schema.__module__ == config.__module__
        assert config.yaml_schema() is schema
