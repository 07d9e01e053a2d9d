"""LoRASA as a model: adapters on one network."""

import copy

import pytest
import torch
from support.benchmarl_requests import call, config_of, policy, randomise

from benchmarl_hyper.models.lorasa.model import ADAPTERS, SHARED, TOGETHER

N, F = 3, 5


def lorasa(trained, **changes):
    model = randomise(policy(config_of("lorasa", **changes), N, F))
    model.stage.trained = trained
    return model


def test_adapters_are_scaled_products_and_biases():
    model = lorasa(TOGETHER, rank=2, alpha=6.0)
    for rows, layer in zip(model.generator, model.generate(), strict=True):
        weight = rows.rows.weight + 6 / 2 * rows.left @ rows.right
        torch.testing.assert_close(layer.weight, weight)
        torch.testing.assert_close(layer.bias, (rows.rows.bias + rows.bias).unsqueeze(1))


def test_at_the_start_it_is_fups_with_the_same_draws():
    models = []
    for name in ("lorasa", "fups"):
        torch.manual_seed(0)
        models.append(policy(config_of(name), N, F))
    ours, fups = models
    after = torch.rand(())
    torch.manual_seed(0)
    policy(config_of("fups"), N, F)
    assert torch.equal(torch.rand(()), after)
    for rows, theirs in zip(ours.generator, fups.generator, strict=True):
        assert torch.equal(rows.rows.weight, theirs.weight)
        assert not rows.right.any()
        assert not rows.bias.any()
        bound = rows.left.shape[1] ** -0.5
        assert 0.9 * bound < rows.left.abs().max() <= bound
    x = torch.randn(4, N, F)
    torch.testing.assert_close(call(ours, x), call(fups, x))
    ours.stage.trained = SHARED
    assert torch.equal(call(ours, x), call(fups, x))


def test_adapters_of_different_layers_and_agents_are_drawn_anew():
    first, second, _ = policy(config_of("lorasa", num_cells=[F, F]), N, F).generator
    assert not torch.equal(first.left, second.left)
    assert not torch.equal(first.left[0], first.left[1])


def test_with_the_full_rank_it_is_an_offset_and_nops():
    """Any separate networks are reached from any shared one."""
    model, nops = lorasa(TOGETHER), randomise(policy(config_of("nops"), N, F))
    with torch.no_grad():
        for ours, theirs in zip(model.generator, nops.generator, strict=True):
            left, sizes, right = torch.linalg.svd(
                (theirs.weight - ours.rows.weight) / ours.scale, full_matrices=False
            )
            ours.left.zero_()[..., : sizes.shape[-1]] = left * sizes.unsqueeze(1)
            ours.right.zero_()[:, : sizes.shape[-1]] = right
            ours.bias.copy_(theirs.bias - ours.rows.bias)
    x = torch.randn(4, N, F)
    torch.testing.assert_close(call(model, x), call(nops, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("trained", "shared", "own"),
    [(SHARED, True, False), (ADAPTERS, False, True), (TOGETHER, True, True)],
)
def test_the_stage_says_what_gets_a_gradient(trained, shared, own):
    model = lorasa(trained)
    call(model, torch.randn(4, N, F)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (shared if ".rows." in name else own), name


def test_stages_compute_the_same():
    model, x = lorasa(TOGETHER), torch.randn(4, N, F)
    y = call(model, x)
    model.stage.trained = ADAPTERS
    assert torch.equal(call(model, x), y)


def test_copies_follow_the_stage():
    model = lorasa(SHARED)
    twin = copy.deepcopy(model)
    model.stage.trained = ADAPTERS
    assert twin.stage.trained == ADAPTERS
    assert not twin.agents_alike


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 0}, "rank must be positive whole numbers"),
        ({"alpha": 0.0}, "alpha must be positive, got 0.0; without adapters, use fups"),
    ],
)
def test_sizes_without_meaning_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config_of("lorasa", **changes)
