"""What pyproject.toml says about versions, and what test files may import."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support import extras

ROOT = Path(__file__).parents[1]
ALWAYS_HERE = {"packaging", "pytest"}  # wherever tests run
OURS = {"benchmarl_hyper", "hydra_plugins", "support"}


def requirements():
    """All that pyproject.toml asks for, as (extra or None, requirement)."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    groups = {None: project["dependencies"], **project["optional-dependencies"]}
    for extra, lines in groups.items():
        for requirement in map(Requirement, lines):
            if requirement.name != project["name"]:
                yield extra, requirement


def test_every_dependency_has_a_lowest_version():
    """Without one, "the lowest versions" are those of another decade, which nobody tests."""
    without = [str(r) for _, r in requirements() if ">=" not in str(r.specifier)]
    assert not without


def test_the_versions_of_constraints_txt_are_allowed():
    allowed = {canonicalize_name(r.name): r.specifier for _, r in requirements()}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for pin in (Requirement(line) for line in lines if not line.startswith("#")):
        (version,) = [specifier.version for specifier in pin.specifier]
        assert allowed.get(canonicalize_name(pin.name), pin.specifier).contains(version), pin


def top_level_imports(file):
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_test_files_import_no_package_of_an_extra():
    """They would fail to load without it; ``support.extras.imported`` skips them by its name."""
    always = {canonicalize_name(r.name) for extra, r in requirements() if extra is None}
    packages = {
        name
        for name, distributions in packages_distributions().items()
        if always & {canonicalize_name(distribution) for distribution in distributions}
    }
    here = packages | ALWAYS_HERE | OURS | sys.stdlib_module_names
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 50
    found = {
        (str(file.relative_to(ROOT)), name) for file in files for name in top_level_imports(file)
    }
    assert not {(file, name) for file, name in found if name not in here}


def test_the_reason_of_a_skip_names_extra_and_package(monkeypatch):
    monkeypatch.setattr(extras, "_installed", lambda name: name != "scikit-learn")
    mark = extras.needs("seps").mark
    assert mark.args == (True,)
    assert mark.kwargs["reason"] == "needs the extra 'seps' (scikit-learn)"
    assert extras.needs("gnn").mark.args == (False,)


def test_an_extra_that_is_not_ours_is_an_error():
    with pytest.raises(ValueError, match="'sepps' is no extra of benchmarl-hyper"):
        extras.needs("sepps")
