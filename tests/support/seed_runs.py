"""Run folders of a few seeds of one small setting, and how their experiments are built."""

from functools import partial

from benchmarl.environments import VmasTask
from support.experiments import experiment

from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.job import Job
from benchmarl_hyper.running.seeds_at_once.member import SeedExperiment

SEEDS = (0, 4, 7)


def spread():
    return VmasTask.SIMPLE_SPREAD.get_task({"max_steps": 4})


def jobs(folder, seeds=SEEDS):
    return [
        Job(
            path=folder / "vmas_spread" / "ippo_nops" / f"seed_{seed}",
            labels={
                "task": "vmas/simple_spread",
                "label": "ippo_nops",
                "seed": seed,
                "overrides": [],
            },
            settings={"seed": seed, "experiment": {"lr": 0.01}},
            choices={},
            pattern="",
        )
        for seed in seeds
    ]


def build(path, checkpoint, callbacks, *, seed, environments=None, model="nops", **changes):
    kind = partial(ResumableExperiment, lean=False)
    if environments is not None:
        kind = partial(SeedExperiment, environments=environments)
    return experiment(
        path,
        model,
        task=spread,
        kind=kind,
        seed=seed,
        callbacks=[*callbacks, *callbacks_named("all")],
        restore_file=checkpoint and str(checkpoint),
        **{"checkpoint_interval": 8, "max_n_iters": 4, "evaluation_interval": 16, **changes},
    )
