"""What holds for every task."""

from dataclasses import fields

import benchmarl
import pytest
import torch
import yaml
from benchmarl.environments import task_config_registry
from benchmarl.hydra_config import load_task_config_from_hydra
from benchmarl.models import MlpConfig
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from support.benchmarl_requests import MODELS
from support.experiments import experiment
from support.extras import skip_without
from torch import nn
from torchrl.envs import check_env_specs

from benchmarl_hyper import registry
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.tasks.families import TASKS

FOLDER = CONF / "task"
NAMES = {f"{task.associated_class().family}/{task.name.lower()}": task for task in TASKS}


def make_env(task, num_envs=3, seed=0):
    task_class = task.associated_class()
    if task_class.modules:
        skip_without(task_class.extra)
    team = task.get_task()
    return team.get_env_fun(num_envs, team.supports_continuous_actions(), seed, "cpu")()


@pytest.fixture(params=NAMES)
def task(request):
    return NAMES[request.param]


FAMILIES = sorted({name.split("/")[0] for name in NAMES})


def of(family):
    return [task for name, task in NAMES.items() if name.startswith(f"{family}/")]


@pytest.fixture(params=FAMILIES)
def one_of_a_family(request):
    return of(request.param)[0]


def test_names_are_registered_and_have_yaml(task):
    name = f"{task.associated_class().family}/{task.name.lower()}"
    assert task_config_registry[name] is task
    values = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    keys = {field.name for field in fields(task.associated_class().config_class(task.name))}
    assert values.keys() - {"defaults"} == keys
    assert task.get_task() == task.get_from_yaml()


def test_there_is_no_yaml_without_a_task():
    assert {str(path.relative_to(FOLDER))[:-5] for path in FOLDER.rglob("*.yaml")} == set(NAMES)


@pytest.mark.slow
def test_hydra_loads_what_python_loads(task):
    name = f"{task.associated_class().family}/{task.name.lower()}"
    with initialize_config_dir(f"{benchmarl.__path__[0]}/conf", version_base=None):
        cfg = compose("config", ["algorithm=ippo", f"task={name}"])
    with pytest.warns(
        UserWarning, match="loaded without type checks"
    ):  # BenchMARL's own tasks only
        loaded = load_task_config_from_hydra(cfg.task, name)
    assert loaded == task.get_task()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("horizon=long", "'long' of type 'str' could not be converted to Integer"),
        ("hrizon=3", "Key 'hrizon' not in 'GameConfig'"),
    ],
)
def test_wrong_yaml_is_a_typed_error(override, message):
    with (
        initialize_config_dir(f"{benchmarl.__path__[0]}/conf", version_base=None),
        pytest.raises(ConfigCompositionException) as error,
    ):
        compose("config", ["algorithm=ippo", "task=games/specialisation_4", f"task.{override}"])
    assert message in str(error.value.__cause__)


@pytest.mark.slow
def test_specs_hold(task):
    env = make_env(task)
    check_env_specs(env)
    assert env.batch_size == (3,)
    team = task.get_task()
    groups = team.group_map(env)
    for spec in (team.observation_spec(env), team.action_spec(env)):
        assert set(spec.keys()) == set(groups)
    env.close()


def rollout(env, seed, steps=6):
    env.set_seed(seed)
    torch.manual_seed(seed)  # of the random actions
    return env.rollout(steps, break_when_any_done=False)


@pytest.mark.slow
def test_same_seed_same_rollout(one_of_a_family):
    env, twin = make_env(one_of_a_family), make_env(one_of_a_family, seed=1)
    first, again, other = rollout(env, 5), rollout(twin, 5), rollout(env, 6)
    assert (first == again).all()
    assert not (first == other).all()
    env.close()
    twin.close()


@pytest.mark.slow
def test_partial_resets_leave_other_environments_alone(one_of_a_family):
    env = make_env(one_of_a_family)
    td = rollout(env, 0, steps=4)[:, -1]["next"].clone()
    mask = torch.tensor([False, True, False]).unsqueeze(-1)
    reset = env.reset(td.clone().set("_reset", mask))
    before = td.select(*reset.keys(True, True), strict=False)
    for key, value in before.items(True, True):
        if key not in ("done", "terminated", "truncated"):
            assert torch.equal(value[[0, 2]], reset[key][[0, 2]]), key
    assert not torch.equal(td["agents", "observation"][1], reset["agents", "observation"][1])
    env.close()


def test_unknown_and_missing_keys_are_named(one_of_a_family):
    with pytest.raises(ValueError, match=r"has no key hrizon; its keys are .*"):
        one_of_a_family.get_task({"hrizon": 3})
    with pytest.raises(ValueError, match=r"needs a value for .*get_task of the task's enum"):
        one_of_a_family.associated_class()(one_of_a_family.name, {})


def test_a_yaml_file_overrides_in_part(one_of_a_family, tmp_path):
    shipped = one_of_a_family.get_task().config
    key, value = next((k, v) for k, v in shipped.items() if isinstance(v, int) and v > 1)
    (tmp_path / "mine.yaml").write_text(f"{key}: {value + 1}\n", encoding="utf-8")
    changed = one_of_a_family.get_from_yaml(str(tmp_path / "mine.yaml"))
    assert changed.config == {**shipped, key: value + 1}


def test_a_missing_package_is_answered_with_the_extra(one_of_a_family, monkeypatch):
    task_class = one_of_a_family.associated_class()
    monkeypatch.setattr(task_class, "modules", ("no_such_package",))
    monkeypatch.setattr(task_class, "extra", "some", raising=False)
    message = r"need no_such_package; run: pip install 'benchmarl-hyper\[some\]'"
    with pytest.raises(ImportError, match=message):
        one_of_a_family.get_task().get_env_fun(1, False, 0, "cpu")


def test_a_taken_name_is_refused(one_of_a_family, monkeypatch):
    name = f"{one_of_a_family.associated_class().family}/{one_of_a_family.name.lower()}"
    monkeypatch.setitem(task_config_registry, name, object())
    with pytest.raises(ValueError, match=f"task '{name}' is already registered"):
        registry.register()


MLP_CONFIG = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)


def train(task, model, folder, algorithm="ippo"):
    task_class = task.associated_class()
    if task_class.modules:
        skip_without(task_class.extra)
    values = task.get_task().config
    short = {key: 5 for key in ("horizon", "max_steps") if key in values}
    experiment(folder, model, algorithm, lambda: task.get_task(short)).run()


SHORT = pytest.mark.filterwarnings("ignore:No episode terminated this iteration")


# Every family with two models, and every model with a family
TRAINED = [(family, "mlp", "ippo") for family in FAMILIES]
TRAINED += [(family, "hypermarl_mlp", "mappo") for family in FAMILIES]
TRAINED += [
    (FAMILIES[i % len(FAMILIES)], model, ("ippo", "mappo")[i % 2])
    for i, model in enumerate(name for name in MODELS if name != "hypermarl_mlp")
]


@pytest.mark.slow
@SHORT
@pytest.mark.parametrize(("family", "model", "algorithm"), TRAINED)
def test_the_first_of_a_family_trains(family, algorithm, model, tmp_path):
    config = MLP_CONFIG if model == "mlp" else model
    train(of(family)[0], config, tmp_path, algorithm)


@pytest.mark.slow
@SHORT
@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_of_a_family_trains(family, tmp_path):
    train(of(family)[-1], "hypermarl_mlp", tmp_path)


class Recorder:
    """A logger that keeps the video that BenchMARL hands to it."""

    def __init__(self):
        self.videos = []

    def log_scalar(self, *_, **__):
        pass

    def log_video(self, name, video, **_):
        self.videos.append(video)


@SHORT
@pytest.mark.parametrize("name", ["games/specialisation_4", "bps/bps_1"])
def test_evaluation_gives_a_video(name, tmp_path):
    run = experiment(tmp_path, "nops", task=NAMES[name].get_task, render=True, loggers=[])
    recorder = Recorder()
    run.logger.loggers.append(recorder)
    run.run()
    video = recorder.videos[0]
    assert video.dtype == torch.uint8
    assert video.shape[1] == run.max_steps - 1
    assert video.shape[2] == 3
    assert any(not torch.equal(video[0, 0], frame) for frame in video[0])
