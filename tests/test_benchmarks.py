"""The scripts in ``benchmarks`` fit the package as it is."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
CALLS = {
    "forward": lambda module: module.measure(2, 2, [8, 8]),
    "published": lambda module: module.main(),
    "scale": lambda module: module.times_per_agent("hypermarl_mlp"),
    "seeds": lambda module: module.measure(module.Cell("games", "fups", 8, 2, 1)),
    "step_sizes": lambda module: module.mean("hypermarl_mlp, unit", 2, draws=1),
    "training_step": lambda module: module.generation("hypermarl_lowrank", [8])(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_fit(name, monkeypatch):
    """All are imported, and those of models alone measure once."""
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module(name)
    if hasattr(module, "Times"):
        times = module.Times
        monkeypatch.setattr(module, "Times", lambda functions, **_: times(functions, 1, 0.0))
    CALLS.get(name, lambda _: None)(module)
