"""Runs Python in a process of its own, as people do in a terminal."""

import os
import subprocess
import sys


def python(*arguments, cwd, check=True, **environment):
    """Run a Python process; returns its output, both streams together."""
    result = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or result.returncode == 0, result.stdout
    return result.stdout
