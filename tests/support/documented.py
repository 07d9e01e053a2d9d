"""The commands that README and docs show, in their order, as words, and shortened to run."""

import re
import shlex
from pathlib import Path
from string import Template

from omegaconf import OmegaConf
from support.extras import missing

from benchmarl_hyper.conf_files import CONF

ROOT = Path(__file__).parents[2]
# Results first among the pages: the page about reports packs their folder
PAGES = [ROOT / "README.md", ROOT / "docs" / "results" / "comparison.md"]
PAGES += sorted({*(ROOT / "docs").rglob("*.md")} - {*PAGES})
BLOCK = re.compile(r"```bash\n(.+?)```", re.DOTALL)
# What a command takes; scripts and commands with tests of their own; and all but one command with
# SMAX, whose compilation takes half a minute each time
ELSEWHERE = re.compile(
    r"\[[A-Z-]|^python benchmarks/|hyper.advise|^(?!.*suite=smax_small name=smax callbacks).*smax"
)
EXTRAS = {
    "smax": "smax",
    "mamujoco": "mujoco",
    "examples/sequences": "gnn",
    "variant=seps": "seps",
    "run_exported": "export",
    "task=": "vmas",
    "suite=": "vmas",
}
RUNNERS = ("benchmarl.run", "benchmarl_hyper.run")
FEW_FRAMES = [
    "hydra/launcher=basic",
    "experiment.max_n_frames=null",
    "experiment.max_n_iters=1",
    "experiment.on_policy_collected_frames_per_batch=8",
    "experiment.on_policy_n_envs_per_worker=2",
    "experiment.on_policy_n_minibatch_iters=1",
    "experiment.on_policy_minibatch_size=8",
    "experiment.off_policy_collected_frames_per_batch=8",
    "experiment.off_policy_n_envs_per_worker=2",
    "experiment.off_policy_n_optimizer_steps=1",
    "experiment.off_policy_train_batch_size=8",
    "experiment.off_policy_memory_size=100",
    "experiment.evaluation_interval=8",
    "experiment.evaluation_episodes=1",
]
# Clusters are made after the first of two iterations
PRETRAINING = ["experiment.max_n_iters=2", "method.pretraining_frames=8", "method.epochs=1"]
# The second stage begins after the first of two iterations
TWO_STAGES = ["experiment.max_n_iters=2"]
# Families whose tasks call the length of an episode max_steps
MAX_STEPS = re.compile(r"vmas/|suite=(quickstart|navigation|dispersion)")
# What later commands read: reports, diagnostics and checkpoints
EVALUATED = re.compile(r"callbacks=\S|suite=quickstart|benchmarl\.run -m")
SAVED = re.compile(r"task=games/specialisation_4 (callbacks=all|variant=fups,)")
BASELINE = "nops"  # of a documented report


def commands(page):
    """Words of each command of a page, with the shell variables that the page sets."""
    values = {"PWD": "."}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.rpartition(" && ")[2]
            setting = re.fullmatch(r"(\w+)=(.*)", command)
            if setting:
                filled = Template(" ".join(shlex.split(setting[2]))).safe_substitute(values)
                values[setting[1]] = filled
            elif words := _words(command, values):
                yield words


def all_commands():
    """Pages and words of all commands, in order."""
    return ((page, words) for page in PAGES for words in commands(page))


def _words(line, values):
    """A shell's reading of a line: variables, except between single quotes."""
    pieces = re.split(r"('[^']*')", line)
    filled = (p if p.startswith("'") else Template(p).safe_substitute(values) for p in pieces)
    return shlex.split("".join(filled), comments=True)


def lacking(words):
    """The extra without which a command cannot run; None if all of its packages are there."""
    line = " ".join(words)
    return next((extra for part, extra in EXTRAS.items() if part in line and missing(extra)), None)


def shortened(words):
    """The same run with the first value of all that it sweeps, few frames and short episodes."""
    line = " ".join(words)
    steps = "max_steps" if MAX_STEPS.search(line) else "horizon"
    options = [*FEW_FRAMES, f"task.{steps}=4"]
    options += ["experiment.checkpoint_interval=" + ("8" if SAVED.search(line) else "0")]
    options += [] if EVALUATED.search(line) else ["experiment.evaluation=False"]
    options += PRETRAINING if "variant=seps" in words else []
    options += TWO_STAGES if "variant=lorasa" in words else []
    swept = _swept(words)
    if "-m" in words[3:] and words[2] == "benchmarl_hyper.run":
        options += ["~hydra.callbacks.summary"]  # the report has tests of its own
        if BASELINE in swept.get("variant", "").split(","):
            swept["variant"] = BASELINE
    kept = [word for word in words if not re.match(r"hydra[./]launcher", word)]
    return [*map(_first, [*kept, *_overrides(swept)]), *options]


def first_runs(words):
    """The same runs with the first scenario and seed, and all else that is swept."""
    swept = {key: values for key, values in _swept(words).items() if key in ("scenario", "seed")}
    first = ("seed=", "scenario=")
    return [_first(w) if w.startswith(first) else w for w in [*words, *_overrides(swept)]]


def folder_of(words):
    """The name of the folder in runs/ that a command of ours fills."""
    typed = dict(word.lstrip("+").split("=", 1) for word in words if "=" in word)
    suite = _suite(words)
    return typed.get("name", suite.name if suite else "default")


def _suite(words):
    names = [word.removeprefix("+suite=") for word in words if word.startswith("+suite=")]
    return OmegaConf.load(CONF / "suite" / f"{names[0]}.yaml") if names else None


def _swept(words):
    """What a suite sweeps and a command does not."""
    suite, typed = _suite(words), {word.partition("=")[0] for word in words}
    found = suite.hydra.sweeper.params.items() if suite else []
    return {key: str(values) for key, values in found if key not in typed}


def _overrides(values):
    return (f"{key}={value}" for key, value in values.items())


def _first(word):
    """An override with the first of its values."""
    key, sign, values = word.partition("=")
    values = re.sub(r"range\(\d+\)", "0", values)
    return key + sign + re.match(r"\[.*?\]|[^,]*", values)[0]
