"""Bad input gets an error that names the value, the rule and the remedy."""

from dataclasses import replace

import pytest
from support.benchmarl_requests import MODELS, central_critic, config_of, group_spec, policy
from torch import nn
from torchrl.data import Composite, Unbounded


@pytest.mark.parametrize("variant", sorted(MODELS.keys() - {"fups"}))
@pytest.mark.parametrize("state", [True, False])
def test_per_agent_critic_refuses_a_request_for_one_output(variant, state):
    message = (
        f"critic of group 'agents' is asked for one output for all agents, but "
        f"{MODELS[variant].associated_class().__name__} gives each of the 3 agents its own; "
        "set algorithm.share_param_critic=False .*coupled_discrete_values=False.*layers/fups"
    )
    with pytest.raises(ValueError, match=message):
        central_critic(config_of(variant), 3, 5, share_params=True, state=state)


def test_images_are_refused_by_name():
    spec = group_spec(3, camera=(8, 8, 3))
    message = (
        r"input \('agents', 'camera'\) of group 'agents' has shape \(3, 8, 8, 3\).*"
        "put a cnn layer in front, in a sequence"
    )
    with pytest.raises(ValueError, match=message):
        policy(config_of("nops"), input_spec=spec)


def test_a_state_image_is_refused_too():
    with pytest.raises(ValueError, match=r"input state .* of a global state.*cnn"):
        policy(
            config_of("nops"),
            input_spec=Composite(state=Unbounded((8, 8, 3))),
            input_has_agent_dim=False,
            centralised=True,
            share_params=False,
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_cells": [64, 0]}, r"num_cells must be positive whole numbers, got \[64, 0\]"),
        ({"num_cells": [-1]}, r"num_cells must be positive whole numbers, got \[-1\]"),
        ({"num_feature_dims": 0}, r"num_feature_dims must be positive whole numbers, got \[0\]"),
        ({"init": "xavier"}, "init must be one of orthogonal, torch, got 'xavier'"),
        ({"init": "torch", "out_gain": 0.1}, "out_gain=0.1 has no effect with init='torch'"),
    ],
)
@pytest.mark.parametrize("variant", MODELS)
def test_bad_values_are_refused_by_every_config(variant, changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(variant, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_dim": 0}, "embedding_dim must be positive, or null for one-hot, got 0"),
        ({"hypernet_cells": [0]}, r"hypernet_cells must be positive whole numbers, got \[0\]"),
        ({"code_norm": "l2"}, "code_norm must be unit, or null for none, got 'l2'"),
    ],
)
@pytest.mark.parametrize("variant", ["hypermarl_mlp", "hypermarl_lowrank"])
def test_bad_hypernetworks_are_refused(variant, changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(variant, **changes)


def test_bad_ranks_are_refused():
    with pytest.raises(ValueError, match=r"rank must be positive whole numbers, got \[0\]"):
        config_of("hypermarl_lowrank", rank=0)


def test_an_activation_with_parameters_is_refused():
    with pytest.raises(ValueError, match="activation_class PReLU has parameters"):
        policy(replace(config_of("nops"), activation_class=nn.PReLU))
