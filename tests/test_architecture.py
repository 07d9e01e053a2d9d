"""Who may import whom, folder by folder, read from the source."""

import ast
from pathlib import Path

import pytest

import benchmarl_hyper

PACKAGE = Path(benchmarl_hyper.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# A room imports from rows below its own, and from itself.
ROWS = [
    {"__init__"},
    {"cli"},
    {"advise"},
    {"run", "benchmark", "status", "observations"},
    {"replay"},
    {"registry"},
    {"diagnostics", "export", "patches"},
    {"models", "algorithms"},
    {"running", "tasks", "report"},
    {"weights", "measures", "run_files", "conf_files", "terminal"},
]
# Within a room, the same. What is not named stands on top, for example a way of sharing.
PARTS = {
    "models": [{"common"}],
    "report": [
        {"__init__"},
        {"page"},
        {"sections"},
        {"comparability"},
        {"output"},
        {"statistics"},
        {"reading"},
    ],
}
STANDARD = {"collections", "functools", "itertools", "typing"}


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path, everywhere=True):
    """Names of imported modules; of ours and of packages, with the imported name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path):
    """Parts of our modules that a file imports, for example ``("running", "callbacks")``."""
    for name in imports(path):
        package, *parts = name.split(".")
        if package == "benchmarl_hyper" and parts[0] != "conf":
            module = PACKAGE.joinpath(*parts)
            is_module = module.is_dir() or module.with_suffix(".py").is_file()
            found = tuple(parts if is_module else parts[:-1])
            yield found if len(found) > 1 else (*found, "__init__")


def others(path):
    return {name.split(".")[0] for name in imports(path)} - {"benchmarl_hyper", "__future__"}


def level(rows, name):
    (index,) = [index for index, row in enumerate(rows) if name in row]
    return index


def ids(paths):
    return {"argvalues": paths, "ids": [str(path.relative_to(PACKAGE)) for path in paths]}


@pytest.mark.parametrize("path", **ids(FILES))
def test_rooms_import_downwards(path):
    for parts in ours(path):
        same = room(path) == parts[0]
        assert same or level(ROWS, room(path)) < level(ROWS, parts[0]), ".".join(parts)


@pytest.mark.parametrize("path", **ids([path for path in FILES if room(path) in PARTS]))
def test_parts_of_a_room_import_downwards(path):
    name = path.relative_to(PACKAGE).with_suffix("").parts[1]
    named = {part for row in PARTS[room(path)] for part in row}
    rows = [{name} - named, *PARTS[room(path)]]
    for parts in ours(path):
        if parts[0] == room(path) and parts[1] in named - {name}:
            assert level(rows, name) <= level(rows, parts[1]), ".".join(parts)
        elif parts[0] == room(path) and parts[1] != name:
            assert name not in named, ".".join(parts)


def test_patches_are_imported_by_the_registry_alone():
    users = {room(path) for path in FILES if any(parts[0] == "patches" for parts in ours(path))}
    assert users == {"patches", "registry"}


@pytest.mark.parametrize(
    "path", **ids([path for path in FILES if room(path) in ("weights", "measures")])
)
def test_the_mathematics_knows_torch_alone(path):
    assert others(path) <= {"torch"} | STANDARD


@pytest.mark.parametrize("path", **ids([path for path in FILES if room(path) == "report"]))
def test_the_report_reads_files(path):
    assert not others(path) & {"torch", "benchmarl", "torchrl", "tensordict", "pandas"}


def test_estimators_know_numpy_and_scipy_alone():
    path = PACKAGE / "report" / "statistics" / "estimators.py"
    assert others(path) <= {"numpy", "scipy"} | STANDARD


@pytest.mark.parametrize("path", **ids([path for path in FILES if room(path) == "tasks"]))
def test_heavy_packages_are_imported_when_an_environment_is_built(path):
    at_import = {module.split(".")[0] for module in imports(path, everywhere=False)}
    heavy = {"vmas", "gymnasium", "gymnasium_robotics", "mujoco", "jax", "jaxmarl"}
    assert not at_import & heavy


def test_few_files_stand_in_the_entrance():
    assert len(list(PACKAGE.glob("*.py"))) <= 10


@pytest.mark.parametrize("path", **ids(FILES))
def test_a_file_is_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def text_files_without_encoding(path):
    """Lines that read or write text by the encoding of the machine; ruff does not see them all."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = isinstance(call, ast.Call) and getattr(
            call.func, "attr", getattr(call.func, "id", "")
        )
        given = {keyword.arg for keyword in call.keywords} if named else set()
        modes = [a.value for a in call.args if isinstance(a, ast.Constant)] if named else []
        binary = any(isinstance(mode, str) and "b" in mode and len(mode) <= 3 for mode in modes)
        texts = named in ("read_text", "write_text") or (named == "open" and not binary)
        if "encoding" not in given and (texts or given & {"text", "universal_newlines"}):
            yield call.lineno


@pytest.mark.parametrize("path", **ids(FILES))
def test_text_is_read_and_written_as_utf_8(path):
    archives = path.name == "archives.py"  # of tarfile.open, which reads bytes
    assert len(list(text_files_without_encoding(path))) == archives
