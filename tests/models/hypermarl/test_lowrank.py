import pytest
import torch
from support.benchmarl_requests import call, config_of, policy, randomise

from benchmarl_hyper.models.hypermarl.lowrank import LowRankHypernetwork
from benchmarl_hyper.weights.initialisation import layer_specs
from benchmarl_hyper.weights.layers import target_mlp

SIZES, GAIN = [12, 48, 48, 2], 0.01
SIDES = SIZES[:2], SIZES[1:3]  # of the layers that are written as products
ORTHOGONAL = layer_specs(SIZES, "orthogonal", GAIN)


def hypernetwork(n_agents=5, specs=ORTHOGONAL, rank=4, dim=4, cells=(16,), code_norm="unit"):
    return LowRankHypernetwork(
        n_agents, specs, rank, embedding_dim=dim, hypernet_cells=cells, code_norm=code_norm
    )


def test_equals_its_equations():
    generator = hypernetwork(3)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter)
    (trunk,) = generator.trunks
    code = torch.relu(generator.embedding() @ trunk.weight[0] + trunk.bias[0])
    code = code / code.norm(dim=1, keepdim=True)
    written = code @ generator.head.weight + generator.head.offset
    first, second, last = generator()
    for (weight, bias), base, i, o in zip(
        (first, second), generator.head.base, *SIDES, strict=True
    ):
        left, right, own_bias, written = written.split(
            [i * 4, 4 * o, o, written.shape[1] - 4 * (i + o) - o], dim=1
        )
        torch.testing.assert_close(weight, base + left.view(3, i, 4) @ right.view(3, 4, o))
        torch.testing.assert_close(bias.squeeze(1), own_bias)
    weight, bias = written.split([48 * 2, 2], dim=1)  # factors would hardly be smaller
    torch.testing.assert_close(last.weight, weight.view(3, 48, 2))
    torch.testing.assert_close(last.bias.squeeze(1), bias)


@pytest.mark.parametrize("scheme", ["orthogonal", "torch"])
@pytest.mark.parametrize("cells", [(), (16,), (64, 64)])
@pytest.mark.parametrize("dim", [2, 8, 64, None])
@torch.no_grad()
def test_matrices_start_at_the_scale_of_the_other_variants(dim, cells, scheme):
    specs = layer_specs(SIZES, scheme, GAIN)
    draws = [hypernetwork(specs=specs, dim=dim, cells=cells)() for _ in range(10)]
    for (i, o, initialise), *layers in zip(specs, *draws, strict=True):
        plain, bias = torch.empty(50, i, o), torch.empty(50, o)
        initialise(plain, bias)
        generated = torch.cat([weight for weight, _ in layers])
        ratios = torch.linalg.matrix_norm(generated) / torch.linalg.matrix_norm(plain).mean()
        assert ratios.mean().item() == pytest.approx(1, rel=0.1)
        spectral = torch.linalg.matrix_norm(generated, 2)
        assert spectral.mean() < 2 * torch.linalg.matrix_norm(plain, 2).mean()


def test_agents_start_different_by_products_of_the_rank():
    generator = hypernetwork()
    *products, last = generator.head(generator.codes()[0])
    for layer in products:
        own = layer.multiplied_out().weight - layer.base
        assert torch.linalg.matrix_rank(own).tolist() == [4] * 5
        assert differences(own).min() > 0.2
        assert not layer.bias.any()
    assert differences(last.weight).min() > 0.2


def differences(matrices):
    """Between all pairs, relative to the mean norm."""
    flat = matrices.flatten(1)
    return torch.nn.functional.pdist(flat) / flat.norm(dim=1).mean()


def test_parameters_are_constant_but_for_an_embedding_per_agent():
    counts = [sum(p.numel() for p in hypernetwork(n).parameters()) for n in (4, 5, 64, 1024)]
    assert [count - counts[0] for count in counts] == [0, 4, 240, 4080]


@pytest.mark.parametrize("n_inputs", [1, 5])
@pytest.mark.parametrize("batch", [0, 3])
def test_factors_compute_what_full_weights_compute(batch, n_inputs):
    generator = hypernetwork()
    x = torch.randn(batch, n_inputs, SIZES[0]).transpose(0, 1)
    expected = target_mlp(x, generator(), torch.tanh)
    y = target_mlp(x, generator.head(generator.codes()[0]), torch.tanh)
    assert y.shape == (5, batch, 2)
    torch.testing.assert_close(y, expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_policies_use_factors_where_they_are_faster(monkeypatch):
    config = config_of("hypermarl_lowrank", num_cells=[256, 256])
    usual = randomise(policy(config))
    monkeypatch.setattr("benchmarl_hyper.models.hypermarl.lowrank.CACHED", 0)
    model = policy(config)
    model.load_state_dict(usual.state_dict())
    whole = []
    model.generator.register_forward_hook(lambda *_: whole.append(1))
    for batch, used in ((2, 0), (16, 0), (17, 1)):
        x = torch.randn(batch, 3, 5)
        torch.testing.assert_close(call(model, x), call(usual, x), atol=1e-4, rtol=1e-4)
        assert len(whole) == used
