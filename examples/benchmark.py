"""Compare three variants from Python, and write the report.

Usage: python examples/benchmark.py [FRAMES] [FOLDER]
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from benchmarl.algorithms import IppoConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import ExperimentConfig
from benchmarl.models import MlpConfig

from benchmarl_hyper import VariantBenchmark
from benchmarl_hyper.report import summary, write

torch.set_num_threads(1)

folder = Path(sys.argv[2] if len(sys.argv) > 2 else "example_benchmark")
folder.mkdir(exist_ok=True)

benchmark = VariantBenchmark(
    algorithm_configs=[IppoConfig.get_from_yaml()],
    model_config=replace(MlpConfig.get_from_yaml(), num_cells=[64, 64]),
    tasks=[VmasTask.BALANCE.get_from_yaml()],
    seeds={0, 1, 2},
    experiment_config=replace(
        ExperimentConfig.get_from_yaml(),
        loggers=["csv"],
        render=False,
        max_n_frames=int(sys.argv[1]) if len(sys.argv) > 1 else 120_000,
        on_policy_n_minibatch_iters=10,
        evaluation_interval=6000,
        save_folder=str(folder),
    ),
    variants=["fups_id", "nops", "hypermarl_mlp"],
)
benchmark.run_sequential()
print(summary([folder]))
print(f"Report: {write([folder])}")
