"""Speed beside JaxMARL: ``python benchmarks/beside_jaxmarl.py [--help]``.

JaxMARL's IPPO trains on its simple spread (MPE), and BenchMARL and we train on VMAS' simple spread.
All have three agents, 16 or 128 environments x 128 steps, 4 epochs of 4 minibatches, discrete
actions, and networks of [64, 64] that agents share. A frame is one step of one environment. Speeds
are frames of all seeds per CPU second, without compilation and without the first iteration. All
processes run on one core and take turns; a turn of ours is one iteration, and numbers are medians
over turns. XLA gets one thread: ``XLA_FLAGS=--xla_cpu_multi_thread_eigen=false`` and ``NPROC=1``.

The environment for JaxMARL is made at the first call, in a cache folder; it has about 1 GB. Its
packages come from the package index. No release holds its training scripts, so that this one comes
from its repository, at a fixed commit; ``--ippo`` takes a file that is there already. The script is
used as it is, except that logging to wandb does nothing.

The two environments share rules and sizes, but not:

- JaxMARL has 5 actions, each of which pushes along one axis with a force of 5, and observations of
  18 numbers, of which 4 are for communication. VMAS has 9 actions, which push along both axes with
  a force of 1, and observations of 14 numbers.
- JaxMARL's agents share a half of their reward, and pay alone for their collisions. VMAS gives all
  agents one reward.
- JaxMARL computes a reset at every step and selects; VMAS resets environments that are done.
- JaxMARL's policy and critic share an optimiser, one clipped norm and one random minibatch of
  agents; those of BenchMARL and ours have their own optimisers, and minibatches of whole frames.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from short_runs import STEPS, ShortRuns, hidden, spread
from timing import header, verdict

from benchmarl_hyper.terminal import table

HERE = Path(__file__).parent / "beside_jaxmarl"
PACKAGES = ["jaxmarl==0.2.0", "distrax", "optax", "hydra-core"]
COMMIT = "c793d095618c6d3edfb5632802348f57b70a4b94"
IPPO = f"https://raw.githubusercontent.com/FLAIROx/JaxMARL/{COMMIT}/baselines/IPPO/ippo_ff_mpe.py"
SHA256 = "a65d2a5f93d5b961142796108eeaef7edf8f87a7e007060dfc593373ce11f882"
ONE_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "NPROC": "1"}
UPDATES = {16: 10, 128: 2}  # of JaxMARL per turn, by environments
TARGETS = {16: 4.0, 128: 3.0}  # JaxMARL's speed divided by ours, for the largest number of seeds
ENDLESS = 1_000_000  # iterations
WORKER = "worker"  # the first word of a process that trains
JAXMARL, BENCHMARL = "JaxMARL", "BenchMARL, mlp"
ALONE, TOGETHER = "ours, fups", "ours, fups, together"


class Worker:
    """A process that trains for a moment whenever it is asked to.

    It answers in lines of JSON: a first one as soon as it is ready, and one per turn.

    Args:
        command: its command.

    Raises:
        RuntimeError: if the process ends; the message is what it wrote last.
    """

    def __init__(self, command: Sequence[object]):
        self.command = [str(word) for word in command]
        self.errors = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed below)
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            encoding="utf-8",
            env=os.environ | ONE_THREAD,
        )
        self.ready = self._answer()

    def turn(self) -> float:
        """Let it train, and return frames per CPU second."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self._answer()
        return answer["frames"] / answer["seconds"]

    def close(self) -> None:
        """Let it end, by the end of its input."""
        self.process.communicate()
        self.errors.close()

    def _answer(self) -> dict[str, Any]:
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.errors.seek(0)
        end = self.errors.read()[-2000:]
        raise RuntimeError(f"'{' '.join(self.command)}' has ended:\n{end}")


def answer(frames: int, seconds: float) -> None:
    """Tell what a turn took, and wait until the next one is asked for.

    Raises:
        SystemExit: if no more is asked for.
    """
    print(json.dumps({"frames": frames, "seconds": seconds}), flush=True)
    if not sys.stdin.readline():
        raise SystemExit


def train(name: str, n_envs: int, n_seeds: int) -> None:
    """Train BenchMARL or us, an iteration per turn.

    Args:
        name: what to train.
        n_envs: number of environments of a seed.
        n_seeds: number of seeds.
    """
    tell = partial(answer, n_seeds * n_envs * STEPS)
    overrides = [*spread(n_envs), *hidden(64)]
    with TemporaryDirectory() as folder:
        if name == BENCHMARL:
            ShortRuns(overrides, ENDLESS, folder, "benchmarl").benchmarl(tell).run()
        runs = ShortRuns([*overrides, "variant=fups"], ENDLESS, folder)
        (runs.alone(tell) if name == ALONE else runs.together(n_seeds, tell)).run()


def environment(folder: Path) -> Path:
    """Return the Python of JaxMARL's environment in a folder; make it if it is missing."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {', '.join(PACKAGES)} in {folder}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / "complete").touch()
    return python


def training_script(folder: Path) -> Path:
    """Return JaxMARL's training script in a folder; download it if it is missing.

    Raises:
        SystemExit: if it cannot be downloaded.
    """
    file = folder / "ippo_ff_mpe.py"
    if not file.exists():
        try:
            with urllib.request.urlopen(IPPO, timeout=60) as page:
                content = page.read()
        except OSError as error:
            raise SystemExit(
                f"error: {IPPO} cannot be downloaded ({error}); get this file in another way, and "
                "name it with --ippo FILE"
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return file


def checked(ippo: Path) -> Path:
    """Return a training script if it is the one that this benchmark was written for.

    Raises:
        SystemExit: if it is another one.
    """
    if hashlib.sha256(ippo.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"error: {ippo} is not the file at {IPPO}; remove it")
    return ippo


def commands(
    python: Path, ippo: Path, n_envs: int, n_seeds: int
) -> dict[tuple[str, int], list[object]]:
    """Return what takes turns: a command by name and number of seeds."""
    theirs = [python, HERE / "train.py", ippo, n_envs]
    return {
        **{(JAXMARL, n): [*theirs, n, UPDATES[n_envs]] for n in (1, n_seeds)},
        **{
            (name, n): [sys.executable, __file__, WORKER, name, n_envs, n]
            for name, n in ((BENCHMARL, 1), (ALONE, 1), (TOGETHER, n_seeds))
        },
    }


def compare(of_all: Mapping[tuple[str, int], list[object]], rounds: int) -> dict[Any, list[float]]:
    """Let processes take turns, and return frames per CPU second of each turn.

    Args:
        of_all: their commands.
        rounds: number of turns.
    """
    with ExitStack() as ends:
        workers = {}
        for (name, n_seeds), command in of_all.items():
            worker = workers[name, n_seeds] = Worker(command)
            ends.callback(worker.close)
            if "compiling" in worker.ready:
                seconds = f"compiled in {worker.ready['compiling']:.0f} CPU s"
                print(
                    f"{name}, {n_seeds} seed(s), {worker.ready['versions']}: {seconds}", flush=True
                )
            worker.turn()  # allocates what is allocated once
        speeds: dict[Any, list[float]] = {key: [] for key in workers}
        for _ in range(rounds):
            for key, worker in workers.items():
                speeds[key].append(worker.turn())
    return speeds


def rows(n_envs: int, speeds: Mapping[tuple[str, int], list[float]]) -> Iterator[list[str]]:
    """Yield lines of the table."""
    for (name, n_seeds), values in speeds.items():
        theirs, plain = speeds[JAXMARL, n_seeds], speeds[BENCHMARL, 1]
        behind = median(a / b for a, b in zip(theirs, values, strict=True))
        gain = median(a / b for a, b in zip(values, plain, strict=True))
        line = [str(n_envs), name, str(n_seeds), f"{median(values):,.0f}", f"{gain:.2f}"]
        target = TARGETS[n_envs]
        met = f"{target}: {verdict(behind, target)}" if name == TOGETHER else ""
        yield [*line, f"{behind:.2f}", met]


def main(arguments: argparse.Namespace) -> None:
    """Measure, and print a table."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    folder = arguments.folder.absolute()
    ippo = checked(arguments.ippo or training_script(folder))
    python = environment(folder / "environment")
    columns = ["envs", "", "seeds", "frames per CPU s", "/ BenchMARL", "JaxMARL / it", "at most"]
    lines = [columns]
    for n_envs in arguments.environments:
        speeds = compare(commands(python, ippo, n_envs, arguments.seeds), arguments.rounds)
        lines += rows(n_envs, speeds)
    print(header())
    print(table(lines))


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description="Speed beside JaxMARL.")
    cache = Path.home() / ".cache" / "benchmarl_hyper" / "jaxmarl"
    parser.add_argument("--folder", type=Path, default=cache, help="where JaxMARL is kept")
    parser.add_argument("--ippo", type=Path, help="JaxMARL's ippo_ff_mpe.py, if it is there")
    parser.add_argument("--environments", nargs="+", type=int, choices=TARGETS, default=[*TARGETS])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds to train together")
    parser.add_argument("--rounds", type=int, default=5, help="number of turns that count")
    return parser.parse_args(words)


if __name__ == "__main__":
    if sys.argv[1:2] == [WORKER]:
        train(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main(parsed(sys.argv[1:]))
