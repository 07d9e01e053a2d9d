"""What people type, in processes of its own, away from the repository."""

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from support.benchmarl_requests import ALL_MODELS
from support.extras import imported, needs
from support.forks import forked, output_of
from support.processes import EIGHT_FRAMES, python

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TINY_RUN = [
    "experiment.loggers=[csv]",
    "experiment.render=False",
    "experiment.max_n_iters=2",
    *EIGHT_FRAMES,
    "experiment.checkpoint_interval=8",
    "algorithm=ippo",
    "task=vmas/navigation",
    "task.max_steps=4",
]


def models(name):
    return [f"model=layers/{name}", f"model@critic_model=layers/{name}"]


def results(folder):
    """Labels to the evaluated steps, of all runs below a folder."""
    return {
        (label, seed): {key for key in steps if key.startswith("step_")}
        for path in sorted(folder.rglob("*.json"))
        if path.stem == path.parent.name
        for tasks in json.loads(path.read_text(encoding="utf-8")).values()
        for labels in tasks.values()
        for label, seeds in labels.items()
        for seed, steps in seeds.items()
    }


def test_benchmarl_trains_evaluates_and_resumes(tmp_path):
    output_of("-m", "benchmarl.run", *TINY_RUN, *models("hypermarl_mlp"), cwd=tmp_path)
    assert results(tmp_path) == {("ippo", "seed_0"): {"step_1", "step_2"}}
    first, last = sorted(tmp_path.rglob("checkpoint_*.pt"), key=lambda path: len(path.name))
    output = output_of("-m", "benchmarl.evaluate", last, cwd=tmp_path)
    assert "Evaluation results logged" in output
    output = output_of("-m", "benchmarl.resume", first, cwd=tmp_path)
    assert "2/2" in output


def test_benchmarl_trains_and_resumes_an_algorithm_of_ours(tmp_path):
    options = [option for option in TINY_RUN if not option.startswith("algorithm=")]
    output_of("-m", "benchmarl.run", *options, "algorithm=happo", cwd=tmp_path)
    assert set(results(tmp_path)) == {("happo", "seed_0")}
    first = min(tmp_path.rglob("checkpoint_*.pt"), key=lambda path: len(path.name))
    assert "2/2" in output_of("-m", "benchmarl.resume", first, cwd=tmp_path)


@needs("joblib")
def test_benchmarl_sweeps_with_joblib(tmp_path):
    """One job, since each imports everything anew."""
    folder = f"hydra.sweep.dir={tmp_path}/sweep"
    sweep = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", folder, "seed=1"]
    output_of("-m", "benchmarl.run", *sweep, *TINY_RUN, *models("fups_id"), cwd=tmp_path)
    assert set(results(tmp_path)) == {("ippo", "seed_1")}


def test_our_runner_labels_tabulates_and_reloads(tmp_path):
    variants = "variant=nops,hypermarl_linear"
    keep = "experiment.keep_checkpoints_num=null"
    output = output_of("-m", "benchmarl_hyper.run", "-m", *TINY_RUN, variants, keep, cwd=tmp_path)
    labels = {"ippo_nops", "ippo_hypermarl_linear"}
    assert {label for label, _ in results(tmp_path)} == labels
    table = output[output.rindex("final return ") :]
    assert all(label in table for label in labels)
    checkpoint = next(path for path in tmp_path.rglob("checkpoint_8.pt") if "nops" in str(path))
    output = output_of("-m", "benchmarl.resume", checkpoint, cwd=tmp_path)
    assert "2/2" in output
    assert {label for label, _ in results(tmp_path)} == labels


@pytest.mark.parametrize("runner", ["benchmarl.run", "benchmarl_hyper.run"])
def test_a_variant_from_yaml_alone(runner, tmp_path):
    ours = runner == "benchmarl_hyper.run"
    chosen = ["variant=hypermarl_wide"] if ours else models("hypermarl_wide")
    folder = ["--config-dir", ROOT / "examples" / "my_variants"]
    output = output_of("-m", runner, *folder, *TINY_RUN, *chosen, "--cfg", "job", cwd=tmp_path)
    assert output.count("embedding_dim: 16") == 2
    assert output.count("name: hypermarl_mlp") == 2
    if ours:
        output_of("-m", runner, *folder, *TINY_RUN, *chosen, cwd=tmp_path)
        assert set(results(tmp_path)) == {("ippo_hypermarl_wide", "seed_0")}


def test_an_unknown_variant_is_answered_with_the_known_ones(tmp_path):
    output = forked("-m", "benchmarl_hyper.run", "variant=nosp", cwd=tmp_path)[1]
    assert "Could not find 'variant/nosp'" in output
    assert all(variant in output for variant in ALL_MODELS)


@pytest.mark.parametrize(
    ("wrong", "answer", "known"),
    [
        ("+suite=quick", "Could not find 'suite/quick'", ["quickstart"]),
        pytest.param(
            "hydra/launcher=slrum",
            "Could not find 'hydra/launcher/slrum'",
            ["joblib", "slurm"],
            marks=needs("joblib"),
        ),
        (
            "task=vmas/balance,vmas/balanse",
            "unknown task 'vmas/balanse'; similar names: vmas/balance",
            ["games/specialisation_2", "smacv2/"],
        ),
    ],
)
def test_unknown_choices_are_answered_with_the_known_ones(tmp_path, wrong, answer, known):
    output = forked("-m", "benchmarl_hyper.run", "-m", wrong, cwd=tmp_path)[1]
    assert answer in output
    assert all(name in output for name in known)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["save_folder", "restore_file"])
def test_our_runner_finds_folders_by_itself(tmp_path, key):
    arguments = [*TINY_RUN, f"experiment.{key}=/nowhere"]
    output = forked("-m", "benchmarl_hyper.run", *arguments, cwd=tmp_path)[1]
    assert f"experiment.{key}=/nowhere cannot be set in this runner" in output


def test_an_unknown_model_name_is_answered_with_the_known_ones(tmp_path):
    (tmp_path / "model" / "layers").mkdir(parents=True)
    (tmp_path / "model" / "layers" / "mine.yaml").write_text("name: nosp\n", encoding="utf-8")
    output = forked(
        *("-m", "benchmarl_hyper.run", "--config-dir", tmp_path, *TINY_RUN, *models("mine")),
        cwd=tmp_path,
    )[1]
    assert "unknown model 'nosp'; did you mean 'nops'; the known ones are" in output
    assert not list(tmp_path.rglob("config.pkl"))


@pytest.mark.parametrize("name", ["hyper_experiment", "hypermarl_paper"])
def test_presets_are_on_the_path_of_benchmarl(name, tmp_path):
    preset = [f"experiment={name}", "algorithm=mappo_paper", "task=vmas/dispersion"]
    output = output_of("-m", "benchmarl.run", *preset, "--cfg", "job", cwd=tmp_path)
    assert "fused: true" in output
    assert "lmbda: 0.95" in output
    assert ("lr: 0.0005" in output) == (name == "hypermarl_paper")


def test_other_hydra_applications_stay_light(tmp_path):
    (tmp_path / "app.py").write_text(
        "import sys, hydra\n"
        "@hydra.main(version_base=None)\n"
        "def main(cfg):\n"
        "    print('loaded', {'torch', 'benchmarl', 'benchmarl_hyper'} & set(sys.modules))\n"
        "main()\n",
        encoding="utf-8",
    )
    assert "loaded set()" in python("app.py", cwd=tmp_path)
    assert "benchmarl" not in python("app.py", "--info", "searchpath", cwd=tmp_path)


def test_example_in_python(tmp_path):
    output = output_of(ROOT / "examples" / "train.py", 6000, tmp_path, cwd=tmp_path)
    assert "HypermarlMlp(n_agents=3" in output
    assert "0.weight: (3, 64, 18)" in output


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from an sdist, and that from a copy: a build writes into its source."""
    imported("build", "test")
    folder = tmp_path_factory.mktemp("wheel")
    others = shutil.ignore_patterns(".*", "build", "*.egg-info", "results", "runs")
    source = shutil.copytree(ROOT, folder / "source", ignore=others)
    python("-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    return next(folder.glob("*.whl"))


def test_the_wheel_ships_the_configuration(wheel):
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".yaml")}
    assert shipped == {
        f"benchmarl_hyper/conf/{path.relative_to(ROOT / 'conf')}"
        for path in (ROOT / "conf").rglob("*.yaml")
    }
    assert "benchmarl_hyper/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_runs_where_it_is_installed(wheel, tmp_path):
    """In an environment of its own that finds the other packages here, behind the wheel."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    interpreter = tmp_path / "venv" / "bin" / "python"
    site = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "packages.pth").write_text(packages + "\n", encoding="utf-8")
    code = "import benchmarl_hyper; print(benchmarl_hyper.__file__)"
    run = [interpreter, "-m", "benchmarl.run", *TINY_RUN, *models("nops")]
    for command, expected in (([interpreter, "-c", code], str(site)), (run, "2/2")):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert expected in result.stdout + result.stderr
