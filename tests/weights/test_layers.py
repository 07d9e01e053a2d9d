from itertools import pairwise

import pytest
import torch
from torch import nn

from benchmarl_hyper.weights.layers import Layer, LowRankLayer, target_mlp

SIZES = [5, 7, 6, 2]


def random_layers(n_networks):
    return [
        Layer(torch.randn(n_networks, i, o), torch.randn(n_networks, 1, o))
        for i, o in pairwise(SIZES)
    ]


def sequential(layers, network):
    """The same network in plain torch."""
    modules = []
    for weight, bias in layers:
        linear = nn.Linear(*weight.shape[1:])
        linear.weight.data, linear.bias.data = weight[network].T, bias[network, 0]
        modules += [linear, nn.Tanh()]
    return nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("n_inputs", [1, 3])
def test_equals_separate_networks(n_networks, n_inputs):
    x, layers = torch.randn(n_inputs, 4, SIZES[0]), random_layers(n_networks)
    y = target_mlp(x, layers, torch.tanh)
    n = max(n_networks, n_inputs)
    expected = [sequential(layers, i % n_networks)(x[i % n_inputs]) for i in range(n)]
    torch.testing.assert_close(y, torch.stack(expected), atol=1e-6, rtol=1e-6)


def test_one_weight_with_a_bias_per_agent():
    x, layers = torch.randn(3, 4, SIZES[0]), random_layers(1)
    biases = torch.randn(3, 1, SIZES[1])
    y = target_mlp(x, [Layer(layers[0].weight, biases), *layers[1:]], torch.tanh)
    for i in range(3):
        own = [Layer(layers[0].weight, biases[i : i + 1]), *layers[1:]]
        torch.testing.assert_close(y[i], sequential(own, 0)(x[i]), atol=1e-6, rtol=1e-6)


def test_products_of_low_rank_equal_full_weights():
    x, (weight, bias) = torch.randn(1, 4, 5), random_layers(3)[0]
    layer = LowRankLayer(torch.randn(1, 5, 7), torch.randn(3, 5, 2), torch.randn(3, 2, 7), bias)
    full = layer.multiplied_out()
    torch.testing.assert_close(full.weight, layer.base + layer.left @ layer.right)
    y = target_mlp(x, [layer], torch.tanh)
    torch.testing.assert_close(y, target_mlp(x, [full], torch.tanh))
    assert Layer(weight, bias).multiplied_out().weight is weight


def test_no_hidden_layer_is_an_affine_map():
    x, layer = torch.randn(2, 4, 5), Layer(torch.randn(2, 5, 3), torch.randn(2, 1, 3))
    expected = torch.einsum("nbi,nio->nbo", x, layer.weight) + layer.bias
    torch.testing.assert_close(target_mlp(x, [layer], torch.tanh), expected, atol=1e-6, rtol=1e-6)
