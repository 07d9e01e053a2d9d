import pytest
import torch
from scipy.spatial.distance import jensenshannon

from benchmarl_hyper.measures.diversity import js_distances, snd, tv_distances, w2_distances


def test_snd_is_the_mean_over_pairs():
    distances = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 6.0], [2.0, 6.0, 0.0]])
    assert snd(distances) == 3.0
    assert snd(torch.zeros(1, 1)) == 0


def test_w2_of_two_gaussians_by_hand():
    loc = torch.tensor([[[0.0, 0.0]], [[3.0, 0.0]]])
    scale = torch.tensor([[[1.0, 1.0]], [[1.0, 5.0]]])
    assert w2_distances(loc)[0, 1] == 3.0
    assert w2_distances(loc, scale)[0, 1] == 5.0


def test_distances_of_two_categoricals_by_hand():
    """Equal: 0. Disjoint: 1. A fair coin and a certain one: JSD of 0.3113 bits."""
    p = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]).unsqueeze(1)
    torch.testing.assert_close(
        js_distances(p)[0], torch.tensor([0.0, 0.0, 1.0, 0.5579]), atol=1e-4, rtol=0
    )
    assert tv_distances(p)[0].tolist() == [0.0, 0.0, 1.0, 0.5]


def test_js_is_that_of_scipy():
    p = torch.rand(4, 7, 5, dtype=torch.float64).softmax(-1)
    for i in range(4):
        for j in range(4):
            expected = jensenshannon(p[i], p[j], base=2, axis=-1).mean()
            assert js_distances(p)[i, j].item() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("distances", [w2_distances, js_distances, tv_distances])
def test_symmetric_zero_for_equals_and_indifferent_to_order(distances):
    p = torch.rand(4, 7, 5).softmax(-1)
    p[3] = p[1]
    matrix, order = distances(p), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(matrix, matrix.T)
    assert matrix[1, 3] < 1e-3
    assert matrix.diagonal().max() < 1e-3
    torch.testing.assert_close(distances(p[order]), matrix[order][:, order])
    torch.testing.assert_close(snd(distances(p[order])), snd(matrix))
    torch.testing.assert_close(distances(p[:, torch.randperm(7)]), matrix)
    assert snd(distances(p[:1])) < 1e-3
