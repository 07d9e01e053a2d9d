import torch

from benchmarl_hyper.weights.initialisation import layer_specs
from benchmarl_hyper.weights.rows import IdRows

SPECS = layer_specs([6, 8, 3], "orthogonal", 0.01)


def test_id_rows_are_a_linear_layer_on_observation_and_one_hot():
    rows = IdRows(4, SPECS[0], use_observation=True)
    observation = torch.randn(4, 6)
    weight, bias = rows()
    expected = torch.cat([observation, torch.eye(4)], -1) @ rows.weight[0] + rows.bias
    torch.testing.assert_close(observation @ weight[0] + bias.squeeze(1), expected)


def test_id_rows_without_observation_ignore_it():
    weight, bias = IdRows(4, SPECS[0], use_observation=False)()
    assert weight.shape == (1, 6, 8)
    assert not weight.any()
    bias = bias.squeeze(1)
    torch.testing.assert_close(bias @ bias.T, 2 * torch.eye(4))  # orthogonal rows, gain sqrt(2)
