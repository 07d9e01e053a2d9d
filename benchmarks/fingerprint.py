"""Hashes of short trainings: equal hashes mean equal numbers.

``python benchmarks/fingerprint.py FOLDER`` trains every variant and every algorithm for a moment,
with all callbacks. For each run, it prints hashes of its networks, evaluations, diagnostics and
logged scalars. If the change between two commits does not affect behaviour, both print the same on
one machine. Otherwise, ``diff`` shows the runs that the change affects.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

SHORT = [
    "experiment.max_n_frames=240",
    "experiment.on_policy_collected_frames_per_batch=120",
    "experiment.on_policy_n_envs_per_worker=6",
    "experiment.on_policy_n_minibatch_iters=2",
    "experiment.on_policy_minibatch_size=60",
    "experiment.off_policy_collected_frames_per_batch=120",
    "experiment.off_policy_n_envs_per_worker=6",
    "experiment.off_policy_n_optimizer_steps=3",
    "experiment.off_policy_train_batch_size=32",
    "experiment.off_policy_memory_size=1000",
    "experiment.evaluation_interval=120",
    "experiment.evaluation_episodes=3",
    "callbacks=[snd,gradients,embeddings]",
    "task.max_steps=10",
]
NAVIGATION = ["task=vmas/navigation", "task.n_agents=3", "task.observe_all_goals=True"]
GAME = ["task=games/specialisation_4", "experiment.prefer_continuous_actions=False"]
# Diagnostics of gradients do not fit every loss.
WITHOUT_GRADIENTS = "callbacks=[snd,embeddings]"
VARIANTS = (
    "fups,fups_id,fups_id_no_state,nops,hypermarl_linear,hypermarl_mlp,hypermarl_mlp_unit,"
    "hypermarl_one_hot,hypermarl_lowrank,hypermarl_no_gd,hypermarl_no_rf,seps,kaleidoscope"
)
RECURRENT = "fups_gru,fups_id_gru,nops_gru,hypermarl_gru"
SWEEPS = {
    "local": [*NAVIGATION, "algorithm=ippo", f"variant={VARIANTS},dico,{RECURRENT}"],
    "centralised": [*NAVIGATION, "algorithm=mappo", f"variant={VARIANTS},{RECURRENT}"],
    "wide": [
        *NAVIGATION,
        "algorithm=mappo",
        "variant=hypermarl_lowrank,nops",
        "task.n_agents=12",
        "model.num_cells=[256,256]",
        "critic_model.num_cells=[256,256]",
    ],
    "actor_critic": [
        *NAVIGATION,
        "algorithm=mappo_paper,ippo_paper,happo,maddpg,iddpg,masac,isac",
        "variant=fups_id,hypermarl_mlp",
    ],
    "discrete": [*GAME, "algorithm=masac,isac,happo,mappo", "variant=nops,hypermarl_lowrank"],
    "q_learning": [
        *GAME,
        "algorithm=qmix,vdn,iql",
        "variant=fups,hypermarl_mlp",
        WITHOUT_GRADIENTS,
    ],
}
PRETRAINING = "method.pretraining_frames=120"


def train(folder: Path) -> None:
    """Run all sweeps, each in its own folder below ``folder``."""
    for name, overrides in SWEEPS.items():
        by_key = {override.partition("=")[0]: override for override in [*SHORT, *overrides]}
        if name == "discrete" or name == "q_learning":
            by_key.pop("task.max_steps")
        for choices in _apart(by_key):
            command = [sys.executable, "-m", "benchmarl_hyper.run", "-m", *choices]
            places = [f"hydra.sweep.dir={folder / name}", "experiment.checkpoint_at_end=True"]
            subprocess.run([*command, *places], stdout=subprocess.DEVNULL)


def _apart(by_key: dict[str, str]) -> list[list[str]]:
    """Return the arguments of each sweep; SePS has its own sweep, because it needs a setting."""
    variants = by_key["variant"].partition("=")[2].split(",")
    others = ",".join(name for name in variants if name != "seps")
    sweeps = [[*({**by_key, "variant": f"variant={others}"}).values()]]
    if "seps" in variants:
        sweeps.append([*({**by_key, "variant": "variant=seps"}).values(), PRETRAINING])
    return sweeps


def hashes(run: Path) -> list[str]:
    """Return the hashes of a run's networks, evaluations, diagnostics and logged scalars."""
    (experiment,) = (file.parent for file in run.glob("*/config.pkl"))
    results = json.loads((experiment / f"{experiment.name}.json").read_text(encoding="utf-8"))
    diagnostics = experiment / "diagnostics.jsonl"
    scalars = {
        file.stem: re.sub(r"\s", " ", file.read_text(encoding="utf-8"))
        for file in sorted(experiment.glob("*/scalars/*.csv"))
        if "timers" not in file.stem
    }
    (checkpoint,) = experiment.glob("checkpoints/*.pt")
    return [
        _hash(_tensors(torch.load(checkpoint, weights_only=False))),
        _hash(json.dumps(results, sort_keys=True).encode()),
        _hash(diagnostics.read_bytes() if diagnostics.exists() else b""),
        _hash(json.dumps(scalars).encode()),
    ]


def _tensors(state: dict[str, Any]) -> bytes:
    found = []
    for key in sorted(key for key in state if key.startswith("loss_")):
        for name, value in sorted(state[key].items()):
            if isinstance(value, torch.Tensor):
                found.append(name.encode() + value.detach().contiguous().numpy().tobytes())
    return b"".join(found)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:10]


def main(folder: Path) -> None:
    """Train, and print a line per run with the hashes of :func:`hashes`."""
    train(folder)
    for record in sorted(folder.rglob("run.json")):
        run = record.parent
        status = json.loads(record.read_text(encoding="utf-8"))["status"]
        parts = hashes(run) if status == "done" else [status]
        print(run.relative_to(folder), *parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
