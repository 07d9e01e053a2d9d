import pytest
import torch

from benchmarl_hyper.embeddings import AgentEmbedding


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
