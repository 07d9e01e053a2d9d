"""Settings of past runs: read from data alone, or, if trusted, from a pickle."""

import os
import pickle
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from benchmarl import hydra_config
from benchmarl.algorithms import algorithm_config_registry
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support.experiments import experiment
from support.run_folders import checkpoint_in
from support.tiny_task import tiny_task

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.diagnostics.observations import record
from benchmarl_hyper.export import export
from benchmarl_hyper.run import build
from benchmarl_hyper.run_files import CONFIG, PICKLED
from benchmarl_hyper.running.checkpoints import losses_of, reopened
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.running.saved_settings import settings_of

VARIANTS = sorted(path.stem for path in (CONF / "variant").glob("*.yaml"))


@cache
def composed(*overrides, algorithm="ippo", task="vmas/navigation"):
    names = [f"algorithm={algorithm}", f"task={task}", "label=x"]
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("run", [*names, *overrides])


def saved(folder, cfg, algorithm="ippo", task="vmas/navigation"):
    """A run folder with these settings, and the path of a checkpoint in it."""
    values = OmegaConf.to_container(cfg, resolve=True)
    folder.mkdir(exist_ok=True)
    RunFolder(folder).begin(values, {"task": task, "algorithm": algorithm, "seed": cfg.seed})
    checkpoint = folder / "experiment" / "checkpoints" / "checkpoint_8.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    return checkpoint


def check(tmp_path, cfg, algorithm="ippo", task="vmas/navigation"):
    """Against what BenchMARL loads from the composed configuration."""
    found = settings_of(saved(tmp_path, cfg, algorithm, task))
    expected = hydra_config.load_task_config_from_hydra(cfg.task, task)
    assert (type(found.task), found.task.name) == (type(expected), expected.name)
    assert found.task.config == expected.config
    assert found.algorithm_config == hydra_config.load_algorithm_config_from_hydra(cfg.algorithm)
    assert found.config == hydra_config.load_experiment_config_from_hydra(cfg.experiment)
    for part in ("model", "critic_model"):
        model = hydra_config.load_model_config_from_hydra(cfg[part])
        assert getattr(found, f"{part}_config") == model
    assert found.seed == cfg.seed
    assert found.callbacks == []


SEQUENCES = Path(__file__).parents[2] / "examples" / "sequences"
SEARCHPATH = f"hydra.searchpath=[pkg://benchmarl.conf,file://{SEQUENCES}]"
OVERRIDES = [
    *([f"variant={name}", "experiment.lr=1e-5", "seed=3"] for name in VARIANTS),
    *([f"variant={name}_hypermarl_mlp", SEARCHPATH] for name in ("cnn", "gnn", "deepsets")),
    *(
        [f"model=layers/{name}", f"model@critic_model=layers/{name}"]
        for name in ("mlp", "gru", "lstm", "gnn", "cnn", "deepsets")
    ),
]
TASKS = ["games/specialisation_4", "vmas/simple_tag", "pettingzoo/waterworld"]


@pytest.mark.slow
@pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda overrides: overrides[0])
def test_every_model_is_rebuilt(overrides, tmp_path):
    check(tmp_path, composed(*overrides))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", algorithm_config_registry)
def test_every_algorithm_is_rebuilt(algorithm, tmp_path):
    check(tmp_path, composed(algorithm=algorithm), algorithm)


@pytest.mark.filterwarnings("ignore:TaskConfig python dataclass not found")  # of ours
@pytest.mark.parametrize("task", TASKS)
def test_tasks_are_rebuilt(task, tmp_path):
    check(tmp_path, composed(task=task, algorithm="mappo"), "mappo", task)


TINY = [
    *("model.num_cells=[8]", "critic_model.num_cells=[8]", "experiment.max_n_frames=8"),
    *("experiment.on_policy_collected_frames_per_batch=8", "task.max_steps=4"),
    *("experiment.on_policy_n_envs_per_worker=2", "experiment.on_policy_minibatch_size=8"),
    *("experiment.on_policy_n_minibatch_iters=1", "experiment.evaluation_interval=8"),
]


def test_a_run_of_ours_is_exported_without_trust(tmp_path):
    """And as with trust, where BenchMARL's pickles are read."""
    cfg = composed(*TINY)
    RunFolder(tmp_path).begin(
        OmegaConf.to_container(cfg, resolve=True), {"task": "vmas/navigation", "algorithm": "ippo"}
    )
    run = build(cfg, "vmas/navigation", tmp_path, None, [])
    run.run()
    checkpoint = checkpoint_in(run.folder_name)
    for trust in (False, True):
        export(checkpoint, tmp_path / str(trust), [], trust)
    files = [path.relative_to(tmp_path / "True") for path in (tmp_path / "True").rglob("*.*")]
    assert len(files) == 1 + len(run.group_map["agents"])
    for file in files:
        assert (tmp_path / "False" / file).read_bytes() == (tmp_path / "True" / file).read_bytes()
    assert len(record([checkpoint])) == 10 * 4  # episodes of an evaluation, and steps


# --- What is not read without trust


class Attack:
    """A pickle that makes a file when it is read."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.fixture
def run(tmp_path):
    """A run of BenchMARL's own, without our files."""
    run = experiment(tmp_path, "fups", task=tiny_task, max_n_iters=1, checkpoint_at_end=True)
    run.run()
    return run


def test_pickles_are_read_only_with_trust(run, tmp_path):
    checkpoint, made = checkpoint_in(run.folder_name), tmp_path / "made"
    (run.folder_name / PICKLED).write_bytes(pickle.dumps(Attack(made)))
    with pytest.raises(ValueError, match=r"not in the folder of a run .* If you trust whoever"):
        settings_of(checkpoint)
    assert not made.exists()
    with pytest.raises(ValueError, match=r"config.pkl cannot be read"):  # the rest is missing
        settings_of(checkpoint, trust=True)
    assert made.exists()  # so that this test could have failed


def test_checkpoints_are_read_as_data_without_trust(run, tmp_path):
    checkpoint, made = checkpoint_in(run.folder_name), tmp_path / "made"
    whole = torch.load(checkpoint)
    torch.save({**whole, "more": Attack(made)}, checkpoint)
    with pytest.raises(ValueError, match=r"holds objects besides tensors and .* If you trust who"):
        losses_of(checkpoint)
    assert not made.exists()
    assert losses_of(checkpoint, trust=True).keys() == {"agents"}
    assert made.exists()


def changed(checkpoint, **settings):
    file = checkpoint.parents[2] / CONFIG
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, value in settings.items():
        part, _, name = key.partition("__")
        values[part][name] = value
    file.write_text(yaml.safe_dump(values), encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["os.system", "my_package.Tanh", "torch.hub.load", "subprocess.Popen"]
)
def test_classes_are_imported_only_from_known_packages(name, tmp_path):
    checkpoint = saved(tmp_path, composed())
    changed(checkpoint, critic_model__activation_class=name)
    with pytest.raises(ValueError, match=rf"critic_model.activation_class={name} is not imported"):
        settings_of(checkpoint)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("run_files.write_whole", "is no class"),
        ("running.run_folder.RunFolder", "is not used, because it is no torch.nn.Module"),
    ],
)
def test_only_modules_of_torch_are_used(name, reason, tmp_path):
    """Anything else would be called with arguments from the file."""
    checkpoint = saved(tmp_path, composed())
    name, values = f"benchmarl_hyper.{name}", {"path": "a", "text": "b"}
    changed(checkpoint, model__activation_class=name, model__activation_kwargs=values)
    with pytest.raises(ValueError, match=f"{name} {reason}"):
        settings_of(checkpoint)


@pytest.mark.parametrize(
    ("algorithm", "task", "reason"),
    [
        ("mine", "vmas/navigation", "its algorithm is 'mine', but the known ones are .*happo"),
        ("ippo", "mine/first", "task=mine/first: unknown task.* If you trust whoever wrote"),
    ],
)
def test_what_is_not_registered_needs_trust(algorithm, task, reason, tmp_path):
    checkpoint = saved(tmp_path, composed(), algorithm, task)
    with pytest.raises(ValueError, match=reason):
        settings_of(checkpoint)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("model__name", "mine", "unknown model 'mine'"),
        ("model__cells", 3, "cells"),
        ("experiment__lr", "high", "lr"),
        ("experiment__speed", 3, "speed"),
        ("algorithm__lmbda", [], "lmbda"),
    ],
)
def test_settings_that_do_not_fit_are_named(key, value, reason, tmp_path):
    checkpoint = saved(tmp_path, composed())
    changed(checkpoint, **{key: value})
    with pytest.raises(ValueError, match=rf"{CONFIG}: .*{reason}"):
        settings_of(checkpoint)


def test_broken_files(tmp_path):
    checkpoint = saved(tmp_path, composed())
    (tmp_path / CONFIG).write_text("a: [", encoding="utf-8")
    with pytest.raises(ValueError, match=CONFIG):
        settings_of(checkpoint)


def test_checkpoints_of_other_settings_are_named(run, tmp_path):
    """As if a checkpoint had been copied into the folder of another run."""
    cfg = composed("model.num_cells=[8]", "task.max_steps=4")
    checkpoint = saved(tmp_path / "other", cfg)
    checkpoint.write_bytes(checkpoint_in(run.folder_name).read_bytes())
    with (
        pytest.raises(ValueError, match="does not fit the settings of its run"),
        reopened(checkpoint),
    ):
        pass
    state = torch.load(checkpoint)
    torch.save({"loss_others": state["loss_agents"]}, checkpoint)
    with (
        pytest.raises(ValueError, match=r"has groups \['others'\], but .* \['agents'\]"),
        reopened(checkpoint),
    ):
        pass


def test_a_pickle_that_needs_a_missing_module_is_explained(run):
    file = Path(run.folder_name, PICKLED)
    file.write_bytes(file.read_bytes().replace(b"support.tiny_task", b"support.tiny_tusk"))
    with pytest.raises(
        ValueError, match=r"config.pkl cannot be read \(No module named .*tiny_tusk"
    ):
        settings_of(checkpoint_in(run.folder_name), trust=True)
