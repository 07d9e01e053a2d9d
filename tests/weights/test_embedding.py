import pytest
import torch

from benchmarl_hyper.diagnostics.callbacks import principal_axes
from benchmarl_hyper.weights.embedding import AgentEmbedding


def test_one_hot_is_a_buffer():
    embedding = AgentEmbedding(3, None)
    assert torch.equal(embedding(), torch.eye(3))
    assert not list(embedding.parameters())
    assert "table" in embedding.state_dict()


@pytest.mark.parametrize(("n_agents", "dim"), [(3, 5), (3, 3), (1, 4)])
def test_learned_rows_start_orthogonal_with_norm_sqrt_2(n_agents, dim):
    rows = AgentEmbedding(n_agents, dim)()
    torch.testing.assert_close(rows @ rows.T, 2 * torch.eye(n_agents))


def test_more_agents_than_dimensions_have_orthogonal_columns():
    columns = AgentEmbedding(10, 4)().T
    torch.testing.assert_close(columns @ columns.T, 2 * torch.eye(4))


def test_principal_axes_of_points_on_a_line_in_space():
    """They differ along (3, 4, 0) / 5 alone; a second direction has nothing left to say."""
    rows = torch.tensor([[3.0, 4.0, 0.0]]) * torch.tensor([[1.0], [-1.0], [4.0]]) + 7
    axes = principal_axes(rows)
    torch.testing.assert_close(axes[:, 0].abs(), torch.tensor([0.6, 0.8, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        ((rows - rows.mean(0)) @ axes)[:, 1], torch.zeros(3), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(axes.T @ axes, torch.eye(2))


@pytest.mark.parametrize(("n", "d"), [(4, 1), (1, 4)])
def test_missing_axes_are_zero(n, d):
    axes = principal_axes(torch.randn(n, d))
    assert axes.shape == (d, 2)
    assert axes[:, 1].eq(0).all()
