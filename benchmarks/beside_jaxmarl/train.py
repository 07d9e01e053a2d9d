"""Train JaxMARL's IPPO, in JaxMARL's environment: called by ``benchmarks/beside_jaxmarl.py``.

It is told the file of JaxMARL's ``ippo_ff_mpe.py``, the number of environments, of seeds, and of
updates per turn. It compiles, and answers each line on its input by a turn. A turn is a whole
training: it also draws the initial networks and states.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import types
from importlib.metadata import version
from pathlib import Path

import jax

STEPS = 128


def settings(n_envs: int, updates: int) -> dict[str, object]:
    """Return JaxMARL's settings for this task, with BenchMARL's length of episodes."""
    return {
        "LR": 2.5e-4,
        "NUM_ENVS": n_envs,
        "NUM_STEPS": STEPS,
        "TOTAL_TIMESTEPS": n_envs * STEPS * updates,
        "UPDATE_EPOCHS": 4,
        "NUM_MINIBATCHES": 4,
        "GAMMA": 0.99,
        "GAE_LAMBDA": 0.95,
        "CLIP_EPS": 0.2,
        "ENT_COEF": 0.01,
        "VF_COEF": 0.5,
        "MAX_GRAD_NORM": 0.5,
        "ACTIVATION": "tanh",
        "ENV_NAME": "MPE_simple_spread_v3",
        "ENV_KWARGS": {"max_steps": 100},
        "ANNEAL_LR": True,
    }


def main(file: Path, n_envs: int, n_seeds: int, updates: int) -> None:
    """Compile, and train once for every line on the input."""
    sys.modules["wandb"] = types.SimpleNamespace(log=lambda _: None)
    spec = importlib.util.spec_from_file_location("ippo", file)
    ippo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ippo)
    seeds = jax.random.split(jax.random.PRNGKey(0), n_seeds)
    start = time.process_time()
    train = jax.jit(jax.vmap(ippo.make_train(settings(n_envs, updates)))).lower(seeds).compile()
    versions = ", ".join(f"{name} {version(name)}" for name in ("jaxmarl", "jax", "jaxlib"))
    tell(compiling=time.process_time() - start, versions=versions)
    for _ in sys.stdin:
        start = time.process_time()
        jax.block_until_ready(train(seeds))
        seconds = time.process_time() - start
        tell(frames=n_seeds * updates * n_envs * STEPS, seconds=seconds)


def tell(**values: object) -> None:
    """Answer in one line."""
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
