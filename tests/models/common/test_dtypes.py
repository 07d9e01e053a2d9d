"""Observations of every dtype, as tasks have them: PettingZoo's are float64, images are uint8."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from support.benchmarl_requests import ALL_MODELS, central_critic, config_of, policy
from support.experiments import check_training, experiment
from support.tiny_task import TinyClass, TinyEnv
from tensordict import TensorDict
from torchrl.data import Bounded, Composite, Unbounded

DTYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float64),
]
ACTIONS = Composite(agents=Composite(action=Bounded(-1, 1, (3, 1)), shape=(3,)))


@torch.no_grad()
def called(model, **entries):
    """The output of a policy of three agents."""
    td = TensorDict({"agents": TensorDict(entries, [4, 3])}, [4])
    td["is_init"] = torch.zeros(4, 1, dtype=torch.bool)
    return model(td)["agents", "logits"]


def values(dtype, features=5):
    return torch.randint(0, 2 if dtype == torch.bool else 5, (4, 3, features)).to(dtype)


@pytest.mark.parametrize("name", ALL_MODELS)
def test_every_model_reads_every_dtype(name):
    """And puts out what it does for the same numbers in its own."""
    model = policy(config_of(name), action_spec=ACTIONS)
    for dtype in DTYPES:
        x = values(dtype)
        out = called(model, observation=x)
        assert out.dtype == torch.float32
        assert torch.equal(out, called(model, observation=x.float())), dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_inputs_of_different_dtypes_are_joined(dtype):
    entries = {"a": Unbounded((3, 5)), "b": Unbounded((3, 2))}
    spec = Composite(agents=Composite(entries, shape=(3,)))
    model = policy(config_of("hypermarl_mlp"), input_spec=spec)
    a, b = values(dtype), torch.rand(4, 3, 2)
    assert torch.equal(called(model, a=a, b=b), called(model, a=a.float(), b=b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_critics_of_a_global_state(dtype):
    critic = central_critic(config_of("hypermarl_mlp"), state=True)
    state = values(dtype)[:, 0]
    out = critic(TensorDict({"state": state}, [4]))["agents", "state_value"]
    assert torch.equal(
        out, critic(TensorDict({"state": state.float()}, [4]))["agents", "state_value"]
    )


class TypedEnv(TinyEnv):
    """Observations of another dtype."""

    n_state = None

    def __init__(self, dtype, **kwargs):
        super().__init__(**kwargs)
        self.seen = dtype
        spec = self.observation_spec.clone()
        leaf = Unbounded(spec["agents", "observation"].shape, dtype=dtype)
        spec["agents", "observation"] = leaf
        self.observation_spec = spec

    def _observe(self):
        return {"observation": (5 * self.uniform(0, 1, 2, 3)).to(self.seen)}


@dataclass
class TypedConfig:
    dtype: Any


class TypedClass(TinyClass):
    config_type = TypedConfig

    def make_env(self, num_envs, continuous_actions, seed, device):
        options = {"num_envs": num_envs, "seed": seed, "device": device}
        return TypedEnv(self.config["dtype"], continuous=continuous_actions, **options)


@pytest.mark.parametrize(
    ("dtype", "algorithm", "model"),
    [
        (torch.float64, "ippo", "hypermarl_mlp"),
        (torch.int64, "masac", "nops"),  # whose critic reads observations with actions
        (torch.uint8, "mappo", "fups_gru"),
    ],
)
def test_tasks_train(dtype, algorithm, model, tmp_path):
    config = config_of(model)
    task = lambda: TypedClass("PLACE", {"dtype": dtype})  # noqa: E731
    check_training(experiment(tmp_path, config, algorithm, task, lr=1e-3))
