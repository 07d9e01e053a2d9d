"""The variants beside BenchMARL's own models in one sequence."""

import pytest
import torch
from benchmarl.models import CnnConfig, GruConfig, MlpConfig, SequenceModelConfig
from support.benchmarl_requests import (
    ABLATIONS,
    MODELS,
    call,
    central_critic,
    config_of,
    group_spec,
    policy,
    spectral_norm,
)
from torch import nn

N, F, OUT = 3, 5, 2
SUMS_AND_MASKS = ("hypermarl_mlp", "hypermarl", "hypermarl_lowrank", "kaleidoscope")
MLP_CONFIG = MlpConfig(num_cells=[7], activation_class=nn.Tanh, layer_class=nn.Linear)


def sequence(*configs):
    return SequenceModelConfig(list(configs), [6] * (len(configs) - 1))


@pytest.mark.parametrize("variant", MODELS)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_any_position_of_a_sequence(variant, position):
    configs = [MLP_CONFIG] * 3
    configs[position] = config_of(variant)
    model = policy(sequence(*configs))
    assert call(model, torch.randn(4, N, F)).shape == (4, N, OUT)
    gain = 0.01 if position == 2 else 2**0.5
    if variant not in SUMS_AND_MASKS:
        assert spectral_norm(model.models[position], "4") == pytest.approx(gain, rel=1e-5)


def test_shared_critic_sequence():
    model = central_critic(sequence(config_of("fups"), MLP_CONFIG), share_params=True)
    assert call(model, torch.randn(4, N, F)).shape == (4, 1)
    with pytest.raises(ValueError, match="share_param_critic=False"):
        central_critic(sequence(config_of("nops"), MLP_CONFIG), share_params=True)


@pytest.mark.parametrize("variant", MODELS)
def test_behind_a_cnn(variant):
    cnn = CnnConfig(
        cnn_num_cells=[4],
        cnn_kernel_sizes=[3],
        cnn_strides=1,
        cnn_paddings=0,
        cnn_activation_class=nn.Tanh,
        mlp_num_cells=[6],
        mlp_layer_class=nn.Linear,
        mlp_activation_class=nn.Tanh,
    )
    model = policy(
        sequence(cnn, config_of(variant)), input_spec=group_spec(N, observation=(6, 6, 3))
    )
    assert call(model, torch.rand(4, N, 6, 6, 3)).shape == (4, N, OUT)


@pytest.mark.parametrize("variant", [*MODELS, *ABLATIONS])
def test_behind_a_recurrent_model(variant):
    gru = GruConfig(
        hidden_size=4,
        n_layers=1,
        bias=True,
        dropout=0.0,
        compile=False,
        mlp_num_cells=[6],
        mlp_layer_class=nn.Linear,
        mlp_activation_class=nn.Tanh,
    )
    model = policy(sequence(gru, config_of(variant)))
    td = group_spec(N, observation=F).rand((4, 7))
    td["is_init"] = torch.zeros(4, 7, 1, dtype=torch.bool)
    assert model(td)["agents", "logits"].shape == (4, 7, N, OUT)
