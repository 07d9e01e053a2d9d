"""A small sweep in processes of its own, and all that it has measured."""

import csv
import json

SMALL = [
    "+suite=quickstart",
    "variant=fups_id,hypermarl_mlp",
    "seed=0,1",
    "callbacks=all",
    "task.max_steps=50",
    "experiment.max_n_frames=3600",
    "experiment.on_policy_collected_frames_per_batch=600",
    "experiment.on_policy_n_envs_per_worker=12",
    "experiment.on_policy_minibatch_size=300",
    "experiment.on_policy_n_minibatch_iters=2",
    "experiment.evaluation_interval=1200",
    "experiment.evaluation_episodes=2",
]
SWEEP = ["-m", "benchmarl_hyper.run", "-m", *SMALL]
FEW = ["seed=0", "variant=nops", "callbacks=[]", "experiment.max_n_frames=1200"]
SHORT = [*SWEEP, *FEW]
ALONE = ["-m", "benchmarl_hyper.run", SMALL[0], *SMALL[4:], *FEW]
AT_ONCE = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "~hydra.callbacks.summary"]


def finished(folder):
    """All that runs have measured, but for times; the folders of runs are its keys."""
    content = {}
    for record in folder.rglob("run.json"):
        assert json.loads(record.read_text(encoding="utf-8"))["status"] == "done"
        content[str(record.parent.relative_to(folder))] = measured(record.parent)
    return content


def measured(run):
    """Results, diagnostics and scalars of a run folder."""
    (results,) = (file for file in run.glob("*/*.json") if file.stem == file.parent.name)
    lines = (results.parent / "diagnostics.jsonl").read_text(encoding="utf-8").splitlines()
    scalars = {
        file.name: list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
        for file in run.glob("*/*/scalars/*.csv")
        if not file.name.startswith("timers_")
    }
    return json.loads(results.read_text(encoding="utf-8")), lines, scalars
