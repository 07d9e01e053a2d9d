"""Seeds of one small setting, trained alone and at once."""

from functools import partial

import torch
from support.experiments import experiment, trained_parameters

from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.seeds_at_once.batch import SeedBatch
from benchmarl_hyper.running.seeds_at_once.member import SeedExperiment

SEEDS = (3, 0, 11)


def alone(folder, model, seed, **settings):
    """One seed's experiment, trained."""
    path = folder / f"alone_{seed}"
    path.mkdir(exist_ok=True)
    run = experiment(
        path, model, kind=partial(ResumableExperiment, lean=False), seed=seed, **settings
    )
    run.run()
    return run


def batch(folder, model, seeds=SEEDS, callbacks_of=lambda index: (), **settings):
    """All seeds, not yet trained."""

    def build(index, environments):
        path = folder / f"at_once_{seeds[index]}"
        path.mkdir(exist_ok=True)
        return experiment(
            path,
            model,
            kind=partial(SeedExperiment, environments=environments),
            seed=seeds[index],
            callbacks=callbacks_of(index),
            **settings,
        )

    return SeedBatch(build, seeds)


def distance(one, other):
    """The largest difference between the trained parameters of two experiments."""
    pairs = zip(trained_parameters(one), trained_parameters(other), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def copies(run):
    """The trained parameters of an experiment, as they are now."""
    return [torch.clone(p.detach()) for p in trained_parameters(run)]
