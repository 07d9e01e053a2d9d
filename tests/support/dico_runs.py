"""Small runs of DiCo."""

from dataclasses import replace

from support.benchmarl_requests import config_of as variants_config
from support.experiments import experiment, one_group
from tensordict import TensorDict

from benchmarl_hyper import DicoCallback, DicoConfig

N, F, A = 3, 5, 2


def config_of(**changes):
    return replace(DicoConfig.get_from_yaml(), **{"num_cells": [8, 8], **changes})


def run_with(folder, algorithm="ippo", task=one_group, **changes):
    model = changes.pop("model", {})
    critic_model = changes.pop("critic_model", variants_config("nops"))
    callbacks = [DicoCallback.get_from_yaml(**changes.pop("method", {}))]
    return experiment(
        folder, config_of(**model), algorithm, task, critic_model=critic_model, callbacks=callbacks,
        **changes,
    )  # fmt: skip


def outputs(model, observation):
    td = TensorDict({"agents": TensorDict({"observation": observation})})
    return model(td)["agents"][model.out_key[-1]]
