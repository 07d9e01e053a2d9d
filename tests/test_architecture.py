"""Who imports whom, read from the source."""

import ast
import re
from pathlib import Path

import pytest

import benchmarl_hyper

PACKAGE = Path(benchmarl_hyper.__file__).parent
MODULES = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
TASKS = {path.stem: path for path in (PACKAGE / "tasks").glob("*.py")}
REPORT = {path.stem: path for path in (PACKAGE / "report").glob("*.py")}

# Downwards only: a module imports from rows below its own, or its own row where it says so.
LAYERS = [
    {"benchmark", "export", "run", "status", "teams"},
    {"registry", "report", "runs", "sweep"},
    {"absolute", "callbacks", "folders", "happo", "ppo", "tasks"},
    {"experiment", "observations"},
    {"dico_callback", "kaleidoscope_callback", "seps_callback"},
    {"formats", "gathering", "networks", "pairs"},
    {"ablations", "dico", "recurrent"},
    {"ensembles", "happo_loss", "methods", "variants"},
    {"kaleidoscope", "seps"},
    {"models"},
    {"lowrank", "recording"},
    {"generators"},
    {"embeddings"},
    {"clustering", "diversity", "functional", "gradients", "initialisation", "stats", "tables"}
    | {"acting", "checkpoints", "episodes", "own_models", "provenance", "rollouts"},
]
REPORT_LAYERS = [
    {"__main__"},
    {"__init__"},
    {"writing"},
    {"summaries", "overall", "paired", "measurements", "appendix"},
    {"contents"},
    {"overview"},
    {"exports", "matrices", "checks"},
    {"aggregates", "figures", "recordings"},
    {"scores", "settings"},
    {"results"},
    {"archives", "labels"},
]
LEVEL = {name: level for level, names in enumerate(reversed(LAYERS)) for name in names}
TORCH_ONLY = {"diversity", "gradients", "embeddings", "functional", "generators"}
TORCH_ONLY |= {"initialisation", "lowrank"}


def imports(path, everywhere=True):
    """Names of imported modules; ours with the name that is imported from the package."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                f"{node.module}.{alias.name}" if node.module == "benchmarl_hyper" else node.module
                for alias in node.names
            )


def ours(path):
    names = {name.split(".")[1] for name in imports(path) if name.startswith("benchmarl_hyper.")}
    return names - {"conf"}


def others(path):
    return {name.split(".")[0] for name in imports(path)} - {"benchmarl_hyper", "__future__"}


def test_every_module_has_a_level():
    assert set(MODULES) == set(LEVEL) - {"tasks", "report"}


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_downwards(name):
    for imported in ours(MODULES[name]):
        assert LEVEL[imported] < LEVEL[name], f"{name} imports {imported}"


@pytest.mark.parametrize("name", sorted(TORCH_ONLY))
def test_the_mathematics_knows_torch_alone(name):
    standard = {"collections", "functools", "itertools", "typing"}
    assert others(MODULES[name]) <= {"torch"} | standard


def test_statistics_know_numpy_and_scipy_alone():
    assert others(MODULES["stats"]) <= {"numpy", "scipy", "collections", "typing"}


@pytest.mark.parametrize("name", REPORT)
def test_the_report_reads_files_only(name):
    assert ours(REPORT[name]) <= {"report", "stats", "tables"}
    assert not others(REPORT[name]) & {"torch", "benchmarl", "torchrl", "tensordict", "pandas"}


def test_imports_in_the_report_go_downwards():
    levels = {name: level for level, names in enumerate(REPORT_LAYERS) for name in names}
    assert set(REPORT) == set(levels)
    package = "benchmarl_hyper.report"
    for name, path in REPORT.items():
        used = set(
            re.findall(rf"^from {package}(?:\.(\w+))? import", path.read_text(), re.MULTILINE)
        )
        for imported in used - {""}:
            assert levels[imported] > levels[name], f"{name} imports {imported}"


def test_files_are_one_idea():
    for name, path in [*MODULES.items(), *TASKS.items(), *REPORT.items()]:
        assert len(path.read_text().splitlines()) <= 300, name


@pytest.mark.parametrize("name", TASKS)
def test_tasks_import_other_tasks_and_nothing_else_of_ours(name):
    assert ours(TASKS[name]) <= {"tasks", "tables"}


@pytest.mark.parametrize("name", TASKS)
def test_heavy_packages_are_imported_when_an_environment_is_built(name):
    at_import = {module.split(".")[0] for module in imports(TASKS[name], everywhere=False)}
    heavy = {"vmas", "gymnasium", "gymnasium_robotics", "mujoco", "jax", "jaxmarl"}
    assert not at_import & heavy
