"""A shared trunk with heads: what it is at both ends, and between them."""

from functools import partial

import pytest
import torch
from support.benchmarl_requests import call, central_critic, config_of, policy, randomise
from support.experiments import experiment, trained_parameters
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable

N, F = 3, 5


@pytest.mark.parametrize(("n_own_layers", "other"), [(0, "fups"), (3, "nops")])
@pytest.mark.parametrize("make", [policy, central_critic, partial(central_critic, state=True)])
def test_both_ends_are_other_variants_bit_for_bit(n_own_layers, other, make):
    models = []
    for config in (config_of("shared_trunk", n_own_layers=n_own_layers), config_of(other)):
        torch.manual_seed(0)
        models.append(randomise(make(config, N, F)))
    parameters = [list(model.parameters()) for model in models]
    for ours, theirs in zip(*parameters, strict=True):
        assert torch.equal(ours, theirs)
    x = torch.randn(4, F) if not models[0].input_has_agent_dim else torch.randn(4, N, F)
    outputs = [call(model, x) for model in models]
    assert torch.equal(*outputs)
    gradients = [
        torch.autograd.grad(y.square().sum(), own)
        for y, own in zip(outputs, parameters, strict=True)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("n_own_layers", "other"), [(0, "fups"), (3, "nops")])
def test_both_ends_train_as_other_variants(n_own_layers, other, tmp_path):
    trained = []
    for name, changes in (("shared_trunk", {"n_own_layers": n_own_layers}), (other, {})):
        run = experiment(tmp_path, config_of(name, **changes))
        run.run()
        trained.append(trained_parameters(run))
    for ours, theirs in zip(*trained, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("n_own_layers", [1, 2])
def test_agents_share_what_is_below_their_own_layers(n_own_layers):
    model = randomise(policy(config_of("shared_trunk", n_own_layers=n_own_layers), N, F))
    assert [len(rows.weight) for rows in model.generator] == [1] * (3 - n_own_layers) + [N] * (
        n_own_layers
    )
    loss = call(model, torch.randn(4, N, F))[:, 0].square().sum()
    loss.backward()
    for rows in model.generator:
        assert rows.weight.grad[0].any()
        assert not rows.weight.grad[1:].any()


def test_without_own_layers_it_answers_a_request_for_one_output():
    config = config_of("shared_trunk", n_own_layers=0)
    assert call(central_critic(config, share_params=True), torch.randn(4, N, F)).shape == (4, 1)
    with pytest.raises(ValueError, match="share_param_critic=False"):
        central_critic(config_of("shared_trunk"), share_params=True)


@pytest.mark.parametrize("n_own_layers", [-1, 4])
def test_layers_that_are_not_there_are_refused(n_own_layers):
    message = rf"between 0 \(as in fups\) and 3 .* makes 3 layer\(s\), got {n_own_layers}"
    with pytest.raises(ValueError, match=message):
        config_of("shared_trunk", n_own_layers=n_own_layers)


def test_resumes_bit_for_bit(tmp_path):
    whole = resumable(tmp_path / "whole", model="shared_trunk")
    whole.run()
    (tmp_path / "parts").mkdir()
    again = interrupted_and_resumed(tmp_path / "parts", model="shared_trunk")
    assert_same(final_state(again), final_state(whole))
