"""Modules of users, in this process and in those of launchers."""

import json
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from support.processes import EIGHT_FRAMES, python

from benchmarl_hyper.running import plugins
from benchmarl_hyper.running.plugins import import_installed_plugins, import_plugins

EXAMPLE = Path(__file__).parents[2] / "examples" / "extending"
TINY_RUN = [
    "experiment.max_n_iters=1",
    *EIGHT_FRAMES,
    "algorithm=ippo",
    "task=line/meet",
    "task.horizon=4",
    "variant=two_networks",
]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a module into the current folder, which is not yet on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])

    def write(name, text):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_modules_of_the_current_folder_are_imported(written):
    written("some_plugin", "IMPORTED = 1\n")
    import_plugins(["some_plugin"])
    assert sys.modules["some_plugin"].IMPORTED == 1
    import_plugins([])
    import_plugins(None)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (
            ["no_such_plugin"],
            r"module 'no_such_plugin' cannot be imported \(ModuleNotFoundError: No",
        ),
        (["broken_plugin"], r"'broken_plugin' cannot be imported \(ZeroDivisionError: .*; name it"),
        ("some_plugin", r"plugins=some_plugin: must be a list, for example plugins=\[my_project"),
        ([1], r"plugins=\[1\]: must be a list"),
        (3, "plugins=3: must be a list"),
    ],
)
def test_what_cannot_be_imported_is_answered_in_one_line(modules, message, written):
    written("broken_plugin", "1 / 0\n")
    with pytest.raises(ValueError, match=message) as error:
        import_plugins(modules)
    assert "\n" not in str(error.value)


def test_plugins_of_installed_packages(written, monkeypatch):
    found = [
        EntryPoint("mine", name, plugins.GROUP) for name in ("installed_plugin", "missing_one")
    ]
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: found if group == plugins.GROUP else []
    )
    written("installed_plugin", "")
    sys.path.append(str(Path.cwd()))
    with pytest.warns(UserWarning, match="plugin missing_one of an installed package cannot be"):
        import_installed_plugins()
    assert "installed_plugin" in sys.modules


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_workers_know_tasks_and_models_of_plugins(launcher, tmp_path):
    folder = shutil.copytree(EXAMPLE, tmp_path / "mine")
    options = [*TINY_RUN, "plugins=[my_project]", f"hydra/launcher={launcher}"]
    python("-m", "benchmarl_hyper.run", "--config-dir", "conf", "-m", *options, cwd=folder)
    (file,) = (folder / "runs").rglob("run.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["status"] == "done"
    assert (record["task"], record["label"]) == ("line/meet", "ippo_two_networks")
