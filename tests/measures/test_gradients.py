import pytest
import torch

from benchmarl_hyper.measures.gradients import (
    conflict,
    coordinate_variance,
    cosine_similarities,
    minibatch_variance,
)


def test_cosines_by_hand():
    gradients = torch.tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 3.0], [0.0, 0.0]])
    cosines = cosine_similarities(gradients)
    assert cosines[:3, :3].tolist() == [[1, -1, 0], [-1, 1, 0], [0, 0, 1]]
    assert cosines[3].isnan().all()
    mean, share = conflict(cosines)
    assert mean.item() == pytest.approx(-1 / 3)
    assert share.item() == pytest.approx(1 / 3)


def test_opposite_gradients_are_in_full_conflict():
    gradient = torch.randn(7)
    mean, share = conflict(cosine_similarities(torch.stack([gradient, -gradient])))
    assert (mean.item(), share.item()) == pytest.approx((-1, 1))


def test_one_agent_has_no_pairs():
    assert all(value.isnan() for value in conflict(cosine_similarities(torch.ones(1, 3))))


def test_conflict_is_indifferent_to_order_and_length():
    gradients = torch.randn(5, 9)
    expected = conflict(cosine_similarities(gradients))
    changed = gradients[torch.randperm(5)] * torch.rand(5, 1)
    torch.testing.assert_close(conflict(cosine_similarities(changed)), expected)


def test_coordinate_variance_counts_the_zeros_of_the_critic():
    gradient = torch.randn(10)
    padded = torch.cat([gradient, torch.zeros(30)])
    torch.testing.assert_close(coordinate_variance(gradient, 40), padded.var(correction=0))


def test_minibatch_variance_by_hand():
    """Mean (2, 0); squared distances 1 + 1, 1 + 1; over |(2, 0)|^2 = 4."""
    gradients = torch.tensor([[1.0, 1.0], [3.0, -1.0]])
    assert minibatch_variance(gradients).item() == pytest.approx(0.5)
    assert minibatch_variance(10 * gradients).item() == pytest.approx(0.5)
    padded = torch.cat([gradients, torch.zeros(2, 100)], dim=-1)
    assert minibatch_variance(padded).item() == pytest.approx(0.5)
