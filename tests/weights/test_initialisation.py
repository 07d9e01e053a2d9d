import pytest
import torch
from torch import nn

from benchmarl_hyper.weights.initialisation import (
    HIDDEN_GAIN,
    layer_specs,
    lecun_normal_,
    orthogonal_,
    torch_default_,
)


@pytest.mark.parametrize("shape", [(3, 6, 4), (3, 4, 6), (1, 5, 5)])
def test_orthogonal_rows_are_independent_and_scaled(shape):
    weight, bias = torch.full(shape, torch.nan), torch.full((shape[0], shape[2]), torch.nan)
    orthogonal_(weight, bias, gain=0.5)
    for matrix in weight:
        short = matrix if shape[1] <= shape[2] else matrix.T
        torch.testing.assert_close(short @ short.T, 0.25 * torch.eye(len(short)))
    assert not bias.any()
    assert shape[0] == 1 or not torch.equal(weight[0], weight[1])


def test_torch_default_is_that_of_nn_linear():
    weight, bias = torch.empty(1, 30, 20_000), torch.empty(1, 20_000)
    torch_default_(weight, bias)
    linear = nn.Linear(30, 20_000)
    for ours, theirs in ((weight, linear.weight), (bias, linear.bias)):
        ours, theirs = ours.flatten().sort().values, theirs.flatten().sort().values
        assert (ours - theirs).abs().max() < 0.03 * theirs.abs().max()  # equal quantiles


def test_lecun_normal_keeps_the_variance():
    weight, bias = torch.empty(2, 25, 4000), torch.ones(2, 4000)
    lecun_normal_(weight, bias)
    torch.testing.assert_close(weight.std(), torch.tensor(0.2), atol=2e-3, rtol=0)
    assert weight.abs().max() <= 2 * 0.2 / 0.8796
    assert not bias.any()


def test_only_the_last_layer_has_the_output_gain():
    norms = []
    for _, _, initialise in layer_specs([4, 4, 4, 4], "orthogonal", out_gain=0.01):
        weight = torch.empty(1, 4, 4)
        initialise(weight, torch.empty(1, 4))
        norms.append(torch.linalg.matrix_norm(weight[0], 2).item())
    assert norms == pytest.approx([HIDDEN_GAIN, HIDDEN_GAIN, 0.01], rel=1e-5)
