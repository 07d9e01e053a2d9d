"""What the site has to hold, read from its sources; ``sphinx-build -W`` checks the rest."""

import re
import runpy
from pathlib import Path

import pytest

import benchmarl_hyper
from benchmarl_hyper import export, replay
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.registry import ALGORITHMS, CONFIGS, METHODS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
arguments = runpy.run_path(str(DOCS / "_ext" / "docstrings.py"))["arguments"]


def texts(folder):
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted(folder.rglob("*.md")))


def test_every_model_algorithm_and_method_has_a_table_of_its_settings():
    tables = set(re.findall(r"\{settings\} (\w+) (\w+)", texts(DOCS / "methods")))
    models = {("model", config.model_name()) for config in CONFIGS}
    others = {("algorithm", name) for name in ALGORITHMS} | {("method", name) for name in METHODS}
    # Each has the keys of another one, whose table is there
    same = {"fups_id_gru", "nops_gru", "hypermarl_no_rf", "mappo_paper", "itd3", "ia2c"}
    assert {pair for pair in models | others if pair[1] not in same} == tables


def keys(name):
    """Keys that a shipped YAML file gives values to."""
    lines = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
    return set(re.findall(r"^(\w+): ", lines, re.MULTILINE)) - {"name"}


@pytest.mark.parametrize(
    ("name", "described"),
    [
        *((f"model/layers/{c.model_name()}", c.associated_class()) for c in CONFIGS),
        *((f"algorithm/{name}", c.associated_class()) for name, c in ALGORITHMS.items()),
        *((f"method/{name}", callback) for name, callback in METHODS.items()),
    ],
)
def test_every_key_has_a_meaning(name, described):
    assert keys(name)
    assert keys(name) <= set(arguments(described))


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("model/layers/fups_id_gru", "model/layers/fups_gru"),
        ("model/layers/nops_gru", "model/layers/fups_gru"),
        ("model/layers/hypermarl_no_rf", "model/layers/hypermarl_mlp"),
        ("algorithm/mappo_paper", "algorithm/ippo_paper"),
        ("algorithm/itd3", "algorithm/matd3"),
        ("algorithm/ia2c", "algorithm/maa2c"),
    ],
)
def test_what_has_no_table_has_the_keys_and_values_of_its_twin(name, twin):
    values = [
        re.findall(r"^(?!name)(\w+: .*)", (CONF / f"{each}.yaml").read_text(encoding="utf-8"), re.M)
        for each in (name, twin)
    ]
    assert values[0] == values[1]
    assert values[0]


def test_every_room_with_public_names_is_in_the_reference():
    shown = set(re.findall(r"\{public-names\} (\w+)", texts(DOCS / "reference")))
    values = [getattr(benchmarl_hyper, name) for name in benchmarl_hyper.__all__]
    rooms = {value.__module__.split(".")[1] for value in values}
    assert shown == rooms | {package.__name__.split(".")[1] for package in (export, replay)}


def links(page):
    """Files that a page links to, without code blocks and what is on the web."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "#")):
            yield target.partition("#")[0]


@pytest.mark.parametrize(
    "page",
    [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links_lead_to_files(page):
    assert not [link for link in links(page) if not (page.parent / link).exists()]


class Base:
    """A base.

    Args:
        size: how large it is.
        old: what the class below
            says anew.
    """


class Derived(Base):
    """A class.

    Args:
        old (str): said anew, in
            two lines: with a colon.
        **kwargs: the arguments of :class:`Base`.

    Raises:
        ValueError: never.
    """


def test_arguments_are_what_the_nearest_class_says():
    assert arguments(Derived) == {
        "size": "how large it is.",
        "old": "said anew, in two lines: with a colon.",
    }
