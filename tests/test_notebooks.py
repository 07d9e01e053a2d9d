"""The notebooks run for a few frames as in a user's kernel, and show what they should."""

from pathlib import Path

import pytest
from support.extras import needs

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Picture formats that each notebook shows, in its order
PICTURES = {
    "first_comparison": ["image/png", "image/gif"],
    "own_variant": ["image/png", "image/png"],
}
LABELS = {
    "first_comparison": ["ippo_fups", "ippo_hypermarl", "ippo_nops"],
    "own_variant": ["ippo_hypermarl", "ippo_hypermarl_close"],
}
PHRASES = {
    "first_comparison": ["has the highest mean final return"],
    "own_variant": [
        "has the highest mean final return",
        "Key 'own_stepp' not in 'HypermarlConfigSchema'",
        "| ippo_hypermarl_close | SND, Wasserstein |",
    ],
}


def read(path):
    nbformat = pytest.importorskip("nbformat", reason="needs the extra 'test' (nbformat)")
    return nbformat.read(path, as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(notebook):
    for output in outputs(notebook):
        yield output.get("text", "") + output.get("data", {}).get("text/markdown", "")


def check(notebook, name):
    found = outputs(notebook)
    assert not [output for output in found if output.get("name") == "stderr"]
    text = "".join(texts(notebook))
    assert "Warning" not in text
    assert all(phrase in text for phrase in PHRASES[name])
    assert PICTURES[name] == [
        kind for output in found for kind in output.get("data", {}) if kind.startswith("image/")
    ]
    rows = {line.split()[1] for line in text.splitlines() if line[:5] == "vmas/"}
    assert rows == {*LABELS[name]}


def test_there_are_these_notebooks():
    assert {path.stem for path in NOTEBOOKS} == {*PICTURES}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_those_of_one_execution_and_small(path):
    notebook = read(path)
    check(notebook, path.stem)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert path.stat().st_size < 400_000


@pytest.mark.slow
@needs("vmas")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra 'test' (nbclient)")
    monkeypatch.setenv("NOTEBOOK_FRAMES", "6000")
    monkeypatch.setenv("NOTEBOOK_SEEDS", "2")
    monkeypatch.setenv("NOTEBOOK_EPISODES", "5")
    notebook = read(path)
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.outputs = []
        cell.source = cell.source.replace("n_agents=2,", "n_agents=2, max_steps=10,")
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    check(notebook, path.stem)
