"""Small experiments: every algorithm and kind of task in about a second."""

import json
from dataclasses import replace

import torch
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.environments import VmasTask
from benchmarl.experiment import Experiment, ExperimentConfig
from support.benchmarl_requests import config_of
from support.tiny_task import tiny_task

from benchmarl_hyper.algorithms.a2c import A2cConfig

# One of each loss, kind of buffer, of targets and of exploration
ONE_OF_EACH = [
    *(("mappo", True), ("ippo", False), ("masac", True), ("isac", False)),
    *(("iddpg", True), ("qmix", False), ("iql", False), ("happo", True)),
]
# A2C takes one step per batch
ONE_STEP = {"on_policy_n_minibatch_iters": 1, "on_policy_minibatch_size": 8}
SHARING = {"share_param_critic": False, "coupled_discrete_values": False}

# Algorithm and whether actions are continuous.
ALGORITHMS = [
    *((name, kind) for name in ("mappo", "ippo", "masac", "isac") for kind in (True, False)),
    *((name, True) for name in ("maddpg", "iddpg")),
    *((name, False) for name in ("qmix", "vdn", "iql")),
]


def one_group():
    return VmasTask.NAVIGATION.get_task({"max_steps": 4, "n_agents": 2})


def two_groups():
    return VmasTask.SIMPLE_TAG.get_task(
        {"max_steps": 4, "num_good_agents": 1, "num_adversaries": 2, "num_landmarks": 1}
    )


TASKS = {"one_group": one_group, "two_groups": two_groups, "global_state": tiny_task}
FAILS_IN_BENCHMARL = ("masac", False, "two_groups")


def in_turn(start):
    """Every algorithm, each on the next kind of task."""
    kinds = list(TASKS)
    cases = [(*one, kinds[(start + i) % len(kinds)]) for i, one in enumerate(ALGORITHMS)]
    return [(*case[:2], "one_group") if case == FAILS_IN_BENCHMARL else case for case in cases]


def algorithm_config(name, **changes):
    """The shipped config, with the sharing flags that per-agent critics need."""
    config = algorithm_config_registry[name].get_from_yaml()
    flags = {key: value for key, value in SHARING.items() if hasattr(config, key)}
    return replace(config, **{**flags, **changes})


def experiment_config(folder, **changes):
    """Two iterations of eight frames, two evaluations."""
    return replace(
        ExperimentConfig.get_from_yaml(),
        **{
            "save_folder": str(folder),
            "loggers": ["csv"],
            "render": False,
            "max_n_iters": 2,
            "max_n_frames": None,
            "lr": 1e-2,
            "on_policy_collected_frames_per_batch": 8,
            "on_policy_n_envs_per_worker": 2,
            "on_policy_n_minibatch_iters": 2,
            "on_policy_minibatch_size": 4,
            "off_policy_collected_frames_per_batch": 8,
            "off_policy_n_envs_per_worker": 2,
            "off_policy_n_optimizer_steps": 2,
            "off_policy_train_batch_size": 4,
            "off_policy_memory_size": 64,
            "evaluation_interval": 8,
            "evaluation_episodes": 2,
            **changes,
        },
    )


def experiment(
    folder,
    model,
    algorithm="ippo",
    task=one_group,
    continuous=True,
    critic_model=None,
    callbacks=(),
    kind=Experiment,
    seed=0,
    **changes,
):
    """An experiment with our models for policy and critic; ``model`` may be a variant's name."""
    config = config_of(model) if isinstance(model, str) else model
    learner = algorithm_config(algorithm) if isinstance(algorithm, str) else algorithm
    if isinstance(learner, A2cConfig):
        changes = ONE_STEP | changes
    return kind(
        task=task(),
        algorithm_config=learner,
        model_config=config,
        critic_model_config=critic_model,
        seed=seed,
        callbacks=list(callbacks),
        config=experiment_config(folder, prefer_continuous_actions=continuous, **changes),
    )


def trained_parameters(run):
    """What the optimisers move."""
    return [
        parameter
        for optimisers in run.optimizers.values()
        for optimiser in optimisers.values()
        for group in optimiser.param_groups
        for parameter in group["params"]
        if parameter.requires_grad  # BenchMARL's list has buffers, too
    ]


def evaluations(run, seed=0):
    """What the results say of each."""
    with open(run.logger.json_writer.path, encoding="utf-8") as file:
        (by_task,) = json.load(file).values()
    (by_algorithm,) = by_task.values()
    (by_seed,) = by_algorithm.values()
    return [value for key, value in by_seed[f"seed_{seed}"].items() if key.startswith("step_")]


def check_training(run):
    """Train, and see that everything moved to finite values, and was evaluated twice."""
    before = [parameter.detach().clone() for parameter in trained_parameters(run)]
    run.run()
    for old, new in zip(before, trained_parameters(run), strict=True):
        assert new.isfinite().all()
        assert not torch.equal(old, new)
    assert len(evaluations(run)) == 2
