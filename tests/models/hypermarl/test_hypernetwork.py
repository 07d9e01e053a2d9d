import pytest
import torch

from benchmarl_hyper.models.hypermarl.hypernetwork import Head, Hypernetwork
from benchmarl_hyper.weights.initialisation import layer_specs
from benchmarl_hyper.weights.rows import IdRows, Rows, Table

SPECS = layer_specs([6, 8, 3], "orthogonal", 0.01)


def hypernetwork(n_agents, specs, dim, cells, bias=True, code_norm=None):
    return Hypernetwork(
        n_agents, specs, bias, embedding_dim=dim, hypernet_cells=cells, code_norm=code_norm
    )


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_of_the_dispersion_actor():
    """16 inputs, [64, 64], 9 actions, 4 agents: counted by hand from the paper's equations."""
    specs = layer_specs([16, 64, 64, 9], "orthogonal", 0.01)
    assert n_parameters(Table(Rows(1, s) for s in specs)) == 5_833
    assert n_parameters(Table(Rows(4, s) for s in specs)) == 23_332
    assert n_parameters(Table(Head(4, s, bias=False) for s in specs)) == 23_332
    assert n_parameters(Table(Head(4, s, bias=True) for s in specs)) == 29_165
    id_table = Table([IdRows(4, specs[0], True), *(Rows(1, s) for s in specs[1:])])
    assert n_parameters(id_table) == 6_089
    assert n_parameters(hypernetwork(4, specs, 4, [64], bias=True)) == 381_081
    assert n_parameters(hypernetwork(5, specs, 4, [64], bias=True)) == 381_081 + 4


@pytest.mark.parametrize("cells", [[], [7], [7, 5]])
@pytest.mark.parametrize("bias", [True, False])
def test_hypernetwork_equals_its_equations(cells, bias):
    generator = hypernetwork(3, SPECS, 4, cells, bias)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter)
    embedding = generator.embedding()
    for i, (layer, head) in enumerate(zip(generator(), generator.heads, strict=True)):
        for trunk, made, name in ((i, layer.weight, "weight"), (i + 2, layer.bias, "bias")):
            code = embedding
            for rows in generator.trunks:
                code = torch.relu(code @ rows.weight[trunk] + rows.bias[trunk])
            expected = torch.einsum("nc,c...->n...", code, getattr(head.rows, name))
            if bias:
                expected = expected + getattr(head.offset, name)
            torch.testing.assert_close(made, expected.view_as(made))


def test_one_hot_hypernetwork_without_trunks_selects_the_rows():
    generator = hypernetwork(3, SPECS, None, [], bias=True)
    for layer, head in zip(generator(), generator.heads, strict=True):
        for got, selected in zip(layer, head(), strict=True):
            torch.testing.assert_close(got, selected)


def test_equal_embeddings_give_equal_networks():
    generator = hypernetwork(3, SPECS, 4, [7], bias=True)
    with torch.no_grad():
        generator.embedding.table[2] = generator.embedding.table[0]
    for weight, bias in generator():
        assert torch.equal(weight[0], weight[2])
        assert torch.equal(bias[0], bias[2])
        assert not torch.allclose(weight[0], weight[1])


@pytest.mark.parametrize(("dim", "norm"), [(4, 4.4), (8, 3.0), (64, 1.07), (None, 3.1)])
def test_codes_start_at_the_norms_of_the_published_initialisation(dim, norm):
    """About sqrt(H / d) for learned rows of norm sqrt(2), H = 64 and n = 4."""
    norms = [hypernetwork(4, SPECS, dim, [64], bias=True).codes().norm(dim=-1) for _ in range(30)]
    assert torch.stack(norms).mean().item() == pytest.approx(norm, rel=0.1)


@pytest.mark.parametrize("cells", [[], [7], [7, 5]])
def test_unit_codes_have_the_directions_of_others(cells):
    generator, unit = (hypernetwork(3, SPECS, 4, cells, code_norm=c) for c in (None, "unit"))
    unit.load_state_dict(generator.state_dict())
    codes = generator.codes()
    torch.testing.assert_close(unit.codes().norm(dim=-1), torch.ones(4, 3))
    torch.testing.assert_close(unit.codes() * codes.norm(dim=-1, keepdim=True), codes)


def test_initial_hypernetwork_heads_are_orthogonal_per_unit_and_biases_zero():
    generator = hypernetwork(3, SPECS, 4, [7], bias=True)
    for head, gain in zip(generator.heads, [2**0.5, 0.01], strict=True):
        for matrix in head.rows.weight:
            short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
            torch.testing.assert_close(short @ short.T, gain**2 * torch.eye(len(short)))
        assert not head.rows.bias.any()
        assert not head.offset.weight.any()
    assert all(not layer.bias.any() for layer in generator())
