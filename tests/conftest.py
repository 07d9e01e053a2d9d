import pytest
import torch
from support.extras import missing, skip_without
from torchrl.envs.libs.vmas import VmasEnv

torch.set_num_threads(1)

if missing("vmas"):  # most tests make an environment of VMAS, in a helper or in BenchMARL
    VmasEnv.__init__ = lambda *_, **__: skip_without("vmas")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
