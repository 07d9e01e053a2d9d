"""Kaleidoscope as a model: masks on one network."""

from itertools import permutations

import pytest
import torch
from support.benchmarl_requests import call, config_of, policy, randomise

from benchmarl_hyper.models.kaleidoscope.model import mask_diversity

N, F = 3, 5


def masked(**changes):
    """A model with weights on both sides of the thresholds."""
    model = randomise(policy(config_of("kaleidoscope", threshold_scale=4.0, **changes), N))
    with torch.no_grad():
        for layer in model.masked_layers():
            layer.threshold.add_(6)
    return model


def test_masks_equal_masked_and_shrunk_weights():
    model = masked()
    nops = policy(config_of("nops"), N)
    for ours, theirs in zip(model.masked_layers(), nops.generator, strict=True):
        weight, threshold = ours.rows.weight[0], ours.threshold.sigmoid()
        shrunk = (weight.abs() - threshold) * weight.sign()
        kept = weight.abs() > threshold
        assert 0.1 < kept.float().mean() < 0.9
        theirs.weight.data = torch.where(kept, shrunk, 0.0)
        theirs.bias.data = ours.rows.bias.expand(N, -1).clone()
    observation = torch.randn(4, N, F)
    torch.testing.assert_close(call(model, observation), call(nops, observation))


def test_thresholds_start_in_their_range_and_almost_mask_nothing():
    model = policy(config_of("kaleidoscope", num_cells=[64]), N)
    for layer in model.masked_layers():
        assert layer.threshold.min() >= -10
        assert layer.threshold.max() <= -5
        assert layer.threshold.std() > 1
        assert (layer.margin() > 0).float().mean() > 0.95


@pytest.mark.parametrize("weighted", [True, False])
def test_diversity_is_the_mean_over_pairs_with_its_gradient(weighted):
    """Against the definition with all ordered pairs, and a straight-through mask written out."""
    model = masked()
    layers = model.masked_layers()
    n_weights = sum(layer.rows.weight.numel() for layer in layers)
    expected, masks = torch.zeros(()), []
    for index, layer in enumerate(layers):
        mask = (layer.margin() > 0).float().detach().requires_grad_()
        scaled = mask * layer.rows.weight.abs().detach() if weighted else mask
        pairs = sum((scaled[i] - scaled[j]).abs().sum() for i, j in permutations(range(N), 2))
        expected = expected + 2**index * pairs / (N * (N - 1) * n_weights)
        masks.append(mask)
    diversity = mask_diversity(layers, weighted)
    torch.testing.assert_close(diversity, expected)
    assert diversity > 0
    gradients = torch.autograd.grad(100 * expected, masks)
    ours = torch.autograd.grad(100 * diversity, [layer.threshold for layer in layers])
    for layer, gradient, own in zip(layers, gradients, ours, strict=True):
        sigmoid = layer.threshold.sigmoid()
        torch.testing.assert_close(own, -gradient.tanh() * sigmoid * (1 - sigmoid))


def test_diversity_moves_thresholds_only():
    model = masked()
    mask_diversity(model.masked_layers(), weighted=True).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == name.endswith("threshold")
        assert parameter.grad is None or parameter.grad.any()


def test_equal_masks_have_no_diversity():
    model = masked()
    for layer in model.masked_layers():
        layer.threshold.data = layer.threshold.data[:1].repeat(N, 1, 1)
    assert mask_diversity(model.masked_layers(), weighted=False) == 0


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_what_all_agents_mask_begins_anew(probability):
    layer = masked(num_cells=[64]).masked_layers()[0]
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    dead = (layer.margin() <= 0).all(0)
    drawn = layer.revive(probability)
    assert not drawn[~dead].any()
    assert drawn[dead].float().mean() == pytest.approx(probability, abs=0.2)
    for name, parameter in layer.named_parameters():
        if name == "rows.bias":
            assert torch.equal(parameter, before[name])
            continue
        changed = parameter != before[name]
        assert torch.equal(changed, drawn.expand_as(changed))
    assert not probability or (layer.margin()[:, drawn] > 0).float().mean() > 0.8
