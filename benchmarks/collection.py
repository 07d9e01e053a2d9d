"""Collection speed of the tasks: ``python benchmarks/collection.py [TASK ...]``.

The benchmark uses BenchMARL's collector, its ``mlp`` of [64, 64] and one torch thread. All
experiments run in one process and take turns, one batch each. The table shows the median over
rounds, also relative to VMAS Dispersion.
"""

import platform
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from statistics import median

import torch
from benchmarl.algorithms import IppoConfig
from benchmarl.environments import task_config_registry
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models import MlpConfig

import benchmarl_hyper  # noqa: F401 (registers the tasks)
from benchmarl_hyper.terminal import table

REFERENCE = "vmas/dispersion"
TASKS = [
    REFERENCE,
    "games/specialisation_4",
    "games/specialisation_16",
    "hypervmas/dispersion_4",
    "hypervmas/navigation_8_different",
    "bps/bps_1",
    "bps/bps_4",
    "mamujoco/halfcheetah_2x3",
    "mamujoco/humanoid_17x1",
    "smax/2s3z",
    "smax/smacv2_20_units",
]
STEPS, ROUNDS = 25, 7


def n_envs(name: str) -> int:
    """Return the number of environments of a task; MuJoCo steps them one by one, others at once."""
    return 8 if name.startswith("mamujoco") else 64


def experiment(name: str, folder: str) -> Experiment:
    """Return an IPPO experiment that is only used to collect data."""
    envs = n_envs(name)
    return Experiment(
        task=task_config_registry[name].get_task(),
        algorithm_config=IppoConfig.get_from_yaml(),
        model_config=MlpConfig(
            num_cells=[64, 64], activation_class=torch.nn.Tanh, layer_class=torch.nn.Linear
        ),
        seed=0,
        config=replace(
            ExperimentConfig.get_from_yaml(),
            save_folder=folder,
            loggers=[],
            create_json=False,
            render=False,
            max_n_frames=envs * STEPS * (ROUNDS + 1),
            on_policy_n_envs_per_worker=envs,
            on_policy_collected_frames_per_batch=envs * STEPS,
            evaluation=False,
            evaluation_episodes=2,
        ),
    )


def main(names: list[str]) -> None:
    """Measure the tasks, and print a table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: experiment(name, folder) for name in names}
        batches = {name: iter(run.collector) for name, run in runs.items()}
        for batch in batches.values():
            next(batch)  # compiles and allocates
        speeds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name, batch in batches.items():
                start = time.perf_counter()
                frames = next(batch).numel()
                speeds[name].append(frames / (time.perf_counter() - start))
        for run in runs.values():
            run.close()
    reference = median(speeds[REFERENCE])
    rows = [
        [name, str(n_envs(name)), f"{median(values):,.0f}", f"{median(values) / reference:.2f}"]
        for name, values in speeds.items()
    ]
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(table([["task", "envs", "frames/s", f"of {REFERENCE}"], *rows]))


if __name__ == "__main__":
    chosen = sys.argv[1:] or TASKS
    main([REFERENCE, *(name for name in chosen if name != REFERENCE)])
