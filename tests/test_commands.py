"""Every training command of README and docs, in their order: none refuses another one."""

import re

import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from support.documented import PAGES, ROOT, commands
from support.extras import missing

from benchmarl_hyper.running.planning import planned_jobs
from benchmarl_hyper.running.run_folder import computed, differences

pytestmark = pytest.mark.slow

EXTRAS = {"smax/": "smax", "mamujoco": "mujoco", "examples/sequences": "gnn", "seps": "seps"}


def composed_by(runner, arguments):
    """The jobs of a command with its first seed, variant and scenario; [] for BenchMARL's."""
    words = [word for word in arguments if not re.match(r"-m$|hydra[./]launcher|seed=", word)]
    words = [re.sub(r"^(variant|scenario)=([^,]*),.*", r"\1=\2", word) for word in words]
    if words[0] == "--config-dir":
        words[:2] = [f"hydra.searchpath=[file://{ROOT / words[1]}]"]
    words = [re.sub(r"snd_observations=.*", "snd_observations=null", word) for word in words]
    ours = runner == "benchmarl_hyper.run"
    package, name = ("benchmarl_hyper.conf", "run") if ours else ("benchmarl.conf", "config")
    with initialize_config_module(package, version_base=None):
        overrides = [*words, "seed=0"]
        config = GlobalHydra.instance().hydra.compose_config(name, overrides, RunMode.MULTIRUN)
        return planned_jobs(config) if ours else []


def test_commands_compose_and_fit_into_one_folder():
    seen = {}
    n_composed, refused = 0, []
    for page in PAGES:
        for words in commands(page):
            line = " ".join(words)
            without = any(part in line and missing(extra) for part, extra in EXTRAS.items())
            if words[:2] != ["python", "-m"] or not words[2].endswith(".run") or without:
                continue
            if (
                "plugins=" in line
            ):  # it would register tasks for all other tests; see test_plugins.py
                continue
            n_composed += 1
            for job in composed_by(words[2], words[3:]):
                before, settings = seen.setdefault(job.path, (line, computed(job.settings)))
                differ = differences(settings, computed(job.settings))
                if differ:
                    refused.append(f"{page.name}: {line}\nis refused after\n{before}\nby {differ}")
    assert not refused, "\n\n".join(refused)
    assert n_composed > 40
