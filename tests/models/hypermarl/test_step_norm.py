"""Chosen steps: how far one step of Adam moves what agents run on, together and apart."""

import logging

import pytest
import torch
from support.benchmarl_requests import call, config_of, policy
from support.experiments import experiment

from benchmarl_hyper.models.hypermarl.step_norm import own_step_of

UNIT = {"step_norm": "unit", "num_cells": [32, 32]}
MODELS = [
    ("hypermarl_linear", {}),
    ("hypermarl_mlp", {}),
    ("hypermarl_mlp", {"embedding_dim": 16, "code_norm": "unit"}),
    ("hypermarl_mlp", {"embedding_dim": 8, "hypernet_cells": [16, 64]}),
    ("hypermarl_mlp", {"embedding_dim": None}),
    ("hypermarl_lowrank", {}),
    ("hypermarl_gru", {"hidden_size": 32}),
]


def weights(model):
    return list(model.agent_parameters().values(True, True))


@pytest.mark.parametrize("n_agents", [1, 2, 5])
@pytest.mark.parametrize(("name", "settings"), MODELS)
def test_networks_start_as_without_them(name, settings, n_agents):
    built = []
    for norm in ("unit", None):
        torch.manual_seed(3)
        built.append(policy(config_of(name, **{**UNIT, **settings, "step_norm": norm}), n_agents))
    for redrawn in (False, True):
        for model in built if redrawn else ():
            torch.manual_seed(4)
            model.reset_parameters()
        for one, other in zip(*map(weights, built), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n_agents", "n_codes", "rank"), [(2, 3, 3), (8, 16, 4), (5, 64, 64)])
def test_the_own_step_of_codes_is_that_of_signs(n_agents, n_codes, rank):
    torch.manual_seed(0)
    codes = torch.randn(n_agents, rank) @ torch.randn(rank, n_codes)
    codes = codes - codes.mean(0)
    gradients = torch.randn(n_agents, 100_000)
    change = codes @ (codes.T @ gradients).sign()
    expected = change.square().mean().sqrt()
    torch.testing.assert_close(own_step_of(codes).squeeze(), expected, rtol=0.01, atol=0)


def change_of(model, gradients):
    """The change of weights by one step of Adam, in learning rates."""
    rate = 1e-3
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, eps=1e-12)
    model.zero_grad()
    before = weights(model)
    sum((-g * w).sum() for g, w in zip(gradients, before, strict=True)).backward()
    before = [w.detach().clone() for w in before]
    optimiser.step()
    return [(w - b).detach() / rate for w, b in zip(weights(model), before, strict=True)]


@pytest.mark.parametrize("n_agents", [2, 8])
@pytest.mark.parametrize("steps", [{}, {"common_step": 2.0, "own_step": 0.1}])
@pytest.mark.parametrize(("name", "settings"), MODELS)
def test_steps_are_those_that_were_asked_for(name, settings, steps, n_agents):
    torch.manual_seed(0)
    model = policy(config_of(name, **UNIT, **settings, **steps), n_agents, n_features=16)
    own = steps.get("own_step", 0.35)
    loose = name == "hypermarl_lowrank"  # a product is linear in neither factor
    # Beside the heads, codes move a little, too, and more with networks as small as these
    moving = 0 if name == "hypermarl_linear" else 0.3 * own
    gradients = [torch.randn_like(w) for w in weights(model)]
    change = change_of(model, gradients)
    apart = torch.cat([(c - c.mean(0)).flatten() for c in change]).square().mean().sqrt().item()
    assert apart == pytest.approx(own, rel=0.3 if loose else 0.05, abs=moving)
    alike = [g[:1].expand_as(g) for g in gradients]
    change = change_of(model, alike)
    along = [(c * g.sign()).flatten() for c, g in zip(change, alike, strict=True)]
    together = torch.cat(along).mean().item()
    assert together == pytest.approx(steps.get("common_step", 1), rel=0.1 if loose else 0.03)


@pytest.mark.parametrize(("name", "settings"), MODELS)
def test_any_two_steps_go_together(name, settings):
    model = policy(config_of(name, **UNIT, **settings, common_step=0.01, own_step=3.0))
    plain = policy(config_of(name, **{**UNIT, "step_norm": None}, **settings))
    for one, other in zip(weights(model), weights(plain), strict=True):
        assert one.isfinite().all()
        assert one.square().mean() <= 4 * other.square().mean() + 1


def test_agents_that_are_all_alike_stay_finite():
    model = policy(config_of("hypermarl_mlp", **UNIT))
    with torch.no_grad():
        model.generator.embedding.table.fill_(0.5)
    gradients = [torch.randn_like(w) for w in weights(model)]
    assert all(change.isfinite().all() for change in change_of(model, gradients))


def test_one_agent_is_trained_as_one_network(caplog):
    with caplog.at_level(logging.WARNING):
        model = policy(config_of("hypermarl_mlp", **UNIT), n_agents=1)
    assert "step_norm=unit has nothing to norm in a group of one agent" in caplog.text
    (x,) = torch.randn(1, 7, 1, 5)
    for change in change_of(model, [torch.randn_like(w) for w in weights(model)]):
        torch.testing.assert_close(change.abs(), torch.ones_like(change), rtol=1e-2, atol=1e-2)
    assert call(model, x).isfinite().all()


@pytest.mark.parametrize("name", ["hypermarl", "hypermarl_lowrank"])
def test_ensembles_of_critics_start_as_without_them(name, tmp_path):
    """Members have multipliers of their own, where these depend on what was drawn."""
    found = []
    for norm in ("unit", None):
        steps = {} if norm else {"common_step": None, "own_step": None}
        (tmp_path / str(norm)).mkdir()
        run = experiment(
            tmp_path / str(norm), config_of(name, step_norm=norm, **steps), "masac", seed=0
        )
        loss = run.losses["agents"]
        network, params = loss.qvalue_network, loss.qvalue_network_params
        critic = next(m for m in network.modules() if hasattr(m, "agent_parameters"))
        for member in params.data.unbind(0):
            with member.to_module(network):
                found.append([w.clone() for w in weights(critic)])
        run.close()
    members = len(found) // 2
    assert members == 2
    assert not torch.equal(found[0][0], found[1][0])
    for with_norm, without in zip(found[:members], found[members:], strict=True):
        for one, other in zip(with_norm, without, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["hypermarl_linear", "hypermarl_mlp", "hypermarl_lowrank"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_norm": "units"}, "step_norm must be unit, or null for none, got 'units'"),
        ({"common_step": 1.0}, "common_step=1.0 has no effect without step_norm; set step_norm"),
        ({"own_step": 0.1}, "own_step=0.1 has no effect without step_norm"),
        ({"step_norm": "unit", "own_step": 0.0}, "own_step must be positive and finite"),
        ({"step_norm": "unit", "own_step": -1.0}, "own_step must be .*, got -1.0"),
        ({"step_norm": "unit", "common_step": float("inf")}, "common_step must be .* got inf"),
        ({"step_norm": "unit", "common_step": float("nan")}, "common_step must be .* got nan"),
    ],
)
def test_bad_values_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(name, **changes)


@pytest.mark.parametrize("name", ["hypermarl_linear", "hypermarl_mlp"])
def test_without_offsets_nothing_could_move_what_is_common(name):
    with pytest.raises(ValueError, match="bias=False removes; set bias to True, or step_norm to"):
        config_of(name, bias=False, step_norm="unit")
