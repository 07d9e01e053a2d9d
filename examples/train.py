"""Train HyperMARL from Python, and look at the networks that it generated.

Usage: python examples/train.py [FRAMES] [FOLDER]
"""

import sys
from dataclasses import replace

import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import Experiment, ExperimentConfig

from benchmarl_hyper import GeneratedMlp, HypermarlMlpConfig

torch.set_num_threads(1)

model = replace(HypermarlMlpConfig.get_from_yaml(), num_cells=[64, 64], embedding_dim=8)

experiment = Experiment(
    task=VmasTask.NAVIGATION.get_from_yaml(),
    # One value per agent, because a critic that writes a network for each agent cannot give one
    # value for all of them.
    algorithm_config=replace(MappoConfig.get_from_yaml(), share_param_critic=False),
    model_config=model,
    seed=0,
    config=replace(
        ExperimentConfig.get_from_yaml(),
        loggers=["csv"],
        render=False,
        adam_extra_kwargs={"fused": True},
        on_policy_n_minibatch_iters=10,
        max_n_frames=int(sys.argv[1]) if len(sys.argv) > 1 else 300_000,
        save_folder=sys.argv[2] if len(sys.argv) > 2 else None,
    ),
)
experiment.run()

policy = next(m for m in experiment.policy.modules() if isinstance(m, GeneratedMlp))
print(policy)
print("Weights of each agent's network:")
for key, value in policy.agent_parameters().items(include_nested=True, leaves_only=True):
    print(f"  {'.'.join(key)}: {tuple(value.shape)}")
