import os
import tempfile
from pathlib import Path

import pytest
import torch
import yaml
from support.extras import missing, skip_without
from torchrl.envs.libs.vmas import VmasEnv

torch.set_num_threads(1)

# Composing a configuration takes 0.24 s with libyaml and 0.34 s without
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What JAX has compiled is used again, in other tests and processes
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir(), "benchmarl_hyper_tests_jax"))
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

if missing("vmas"):  # most tests make an environment of VMAS, in a helper or in BenchMARL
    VmasEnv.__init__ = lambda *_, **__: skip_without("vmas")


def pytest_collection_modifyitems(items):
    """The longest test begins first, or it could run alone at the end."""
    items.sort(key=lambda item: item.name != "test_commands_work_in_their_order")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
