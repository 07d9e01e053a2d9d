"""What is loaded when; the room itself, whatever the package above it loads."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarl_hyper import report
from benchmarl_hyper.report import __main__, callback

ROOM = Path(report.__file__).parent
HEAVY = {"matplotlib", "scipy", "numpy", "jinja2", "yaml", "PIL", "hydra", "omegaconf"}


def at_import(path):
    """What a module imports when it is imported: names of packages, and of modules of ours."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_help_needs_the_standard_library_alone(name):
    packages = {module.split(".")[0] for module in at_import(ROOM / name)}
    assert packages <= set(sys.stdlib_module_names)


def test_help_in_a_fresh_process_loads_nothing_heavy(tmp_path):
    """With an empty package above the room, since that one's imports are not the room's."""
    code = (
        "import importlib.util, json, sys, types\n"
        "package = types.ModuleType('benchmarl_hyper')\n"
        f"package.__path__ = [{str(ROOM.parent)!r}]\n"
        "sys.modules['benchmarl_hyper'] = package\n"
        "from benchmarl_hyper.report.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert "--show-places" in done.stdout
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY


def test_public_names_are_found_and_others_are_not():
    assert report.SummaryCallback is callback.SummaryCallback
    assert callable(report.write)
    assert callable(report.summary)
    with pytest.raises(AttributeError, match=r"benchmarl_hyper.report' has no attribute 'x'"):
        report.x  # noqa: B018
    assert set(report.__all__) == set(report.MODULES)
    assert __main__.main


def test_a_sweep_without_a_report_says_so_in_a_line(tmp_path, capsys):
    from omegaconf import OmegaConf

    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    callback.SummaryCallback().on_multirun_end(config)
    first, second = capsys.readouterr().out.strip().splitlines()
    assert first.startswith(f"No report: ValueError: no runs in {tmp_path}")
    assert second == f"To try again: python -m benchmarl_hyper.report {tmp_path}"
