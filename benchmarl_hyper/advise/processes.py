"""Commands in processes of their own, several at a time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import Popen

POLL = 0.2  # seconds


def run_all(
    commands: Sequence[Sequence[str]], n_at_once: int, log: Path, tick: Callable[[], object]
) -> list[int]:
    """Run commands and wait for all of them.

    They end when this process ends by an exception. What they print is added to a file.

    Args:
        commands: the commands.
        n_at_once: the number of processes at a time.
        log: the file for what they print.
        tick: a function that is called while they run, several times a second.

    Returns:
        The exit statuses, in order of the commands.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {"PYTHONUNBUFFERED": "1", **os.environ}
    processes: list[Popen] = []
    with open(log, "ab") as file:
        try:
            while len(processes) < len(commands) or any(one.poll() is None for one in processes):
                running = sum(one.poll() is None for one in processes)
                if running < n_at_once and len(processes) < len(commands):
                    command = commands[len(processes)]
                    processes.append(
                        Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
                    )
                    continue
                tick()
                time.sleep(POLL)
        finally:
            for one in processes:
                if one.poll() is None:
                    one.terminate()
            for one in processes:
                one.wait()
    return [one.returncode for one in processes]
