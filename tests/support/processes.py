"""Runs Python in a process of its own, as people do in a terminal."""

import os
import subprocess
import sys

# An iteration of eight frames, and its evaluation
EIGHT_FRAMES = [
    "experiment.max_n_frames=null",
    "experiment.on_policy_collected_frames_per_batch=8",
    "experiment.on_policy_n_envs_per_worker=2",
    "experiment.on_policy_n_minibatch_iters=1",
    "experiment.on_policy_minibatch_size=8",
    "experiment.evaluation_interval=8",
    "experiment.evaluation_episodes=2",
]


def python(*arguments, cwd, **environment):
    """Run a Python process, which must not fail; returns its output, both streams together."""
    result = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout
