"""CASH: one generated layer per sample between shared ones."""

import pytest
import torch
from support.benchmarl_requests import call, central_critic, config_of, policy, randomise
from support.experiments import check_training, experiment, two_groups
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable
from support.run_folders import checkpoint_in
from support.tiny_task import tiny_task
from torch.nn.functional import layer_norm

from benchmarl_hyper import GradientCallback, SndCallback
from benchmarl_hyper.export.policies import export

N, F, OUT = 3, 5, 2


def cash(make=policy, **changes):
    return randomise(make(config_of("cash", **changes)))


def written(adapter, x):
    """What an adapter writes, by its definition."""
    *hidden, last = adapter.linears
    for linear, norm in zip(hidden, adapter.norms, strict=True):
        x = linear.weight @ x + linear.bias
        x = torch.relu(layer_norm(x, x.shape, norm.weight, norm.bias, norm.eps))
    return last.weight @ x + last.bias


@pytest.mark.parametrize("agent_id", [False, True])
@pytest.mark.parametrize("make", [policy, central_critic])
def test_one_layer_is_written_per_sample(make, agent_id):
    model, x = cash(make, agent_id=agent_id, capability_indices=[-2, 0]), torch.randn(4, N, F)
    y = call(model, x)
    first, last = model.generator.shared
    for sample, i in ((0, 0), (3, 2)):
        read = x[sample, i, [-2, 0]]
        if agent_id:
            read = torch.cat([read, torch.eye(N)[i]])
        z = x[sample, i] if make is policy else x[sample].flatten()
        z = torch.relu(z @ first.weight[0] + first.bias[0])
        weight = written(model.generator.weight, read).view(8, 8)
        z = torch.relu(z @ weight + written(model.generator.bias, read))
        expected = z @ last.weight[0] + last.bias[0]
        torch.testing.assert_close(y[sample, i], expected, atol=1e-5, rtol=1e-4)


def test_it_starts_as_published():
    model = policy(type(config_of("cash")).get_from_yaml(), N, F)
    weight, bias = model.generator.weight, model.generator.bias
    assert [tuple(linear.weight.shape) for linear in weight.linears] == [
        *((16, F), (16, 16), (16, 16)),
        (32 * 32, 16),
    ]
    for linear in weight.linears:
        assert torch.linalg.matrix_norm(linear.weight, 2).item() == pytest.approx(0.2, rel=1e-4)
        assert not linear.bias.any()
    assert not any(linear.weight.any() for linear in bias.linears)
    for rows, gain in zip(model.generator.shared, [2**0.5, 2**0.5, 0.01], strict=True):
        norm = torch.linalg.matrix_norm(rows.weight, 2)
        assert norm.item() == pytest.approx(gain, rel=1e-4)


def test_a_bias_that_starts_at_zero_is_one_for_all():
    """Of the adapter that writes it, only the last bias gets a gradient."""
    model = policy(config_of("cash"), N, F)
    call(model, torch.randn(4, N, F)).square().sum().backward()
    moving = {name for name, p in model.generator.bias.named_parameters() if p.grad.any()}
    assert moving == {"linears.3.bias"}
    assert all(p.grad.any() for p in model.generator.weight.linears.parameters())


@pytest.mark.parametrize("batch", [(), (4,), (4, 6)])
def test_agents_are_told_apart_by_capabilities_or_ids(batch):
    model = cash(capability_indices=[-1])
    x = torch.randn(*batch, 1, F).expand(*batch, N, F)
    y = call(model, x)
    torch.testing.assert_close(y[..., :1, :].expand_as(y), y)
    z = call(cash(agent_id=True), x)
    assert not torch.allclose(z[..., 0, :], z[..., 1, :])


@torch.no_grad()
def test_only_the_written_layer_counts_as_memory():
    model, x = cash(), torch.randn(7, N, F)
    expected = call(model, x)
    assert model.generator(x)[-2].weight[0].numel() + 8 == model._weights_per_agent()
    model.max_bytes = 2 * N * model._weights_per_agent() * 4
    torch.testing.assert_close(call(model, x), expected)
    with torch.enable_grad(), pytest.raises(ValueError, match="use minibatches of at most 2"):
        call(model, x)


def test_reset_parameters_draws_everything_anew_in_place():
    models = [cash(bias_scale=0.1) for _ in range(2)]
    parameters = [list(model.parameters()) for model in models]
    for model in models:
        torch.manual_seed(1)
        model.reset_parameters()
    for one, other in zip(*parameters, strict=True):
        assert torch.equal(one, other)


# --- In experiments


@pytest.mark.parametrize(
    ("algorithm", "continuous", "task"),
    [
        ("mappo", True, two_groups),
        pytest.param("masac", True, tiny_task, marks=pytest.mark.slow),
        pytest.param("iql", False, tiny_task, marks=pytest.mark.slow),
    ],
)
def test_trains_and_evaluates(algorithm, continuous, task, tmp_path):
    config = config_of("cash", bias_scale=0.2)
    critic = config_of("fups")
    check_training(experiment(tmp_path, config, algorithm, task, continuous, critic))


def test_resumes_bit_for_bit(tmp_path):
    settings = {"model": "cash", "critic_model": config_of("fups")}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    (tmp_path / "parts").mkdir()
    again = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(again), final_state(whole))


def test_it_can_be_measured_and_has_nothing_to_export(tmp_path):
    callbacks = [SndCallback(), GradientCallback(every=1)]
    run = experiment(tmp_path, "cash", callbacks=callbacks, max_n_iters=1, checkpoint_at_end=True)
    run.run()
    names = (run.folder_name / "diagnostics.jsonl").read_text(encoding="utf-8")
    assert '"snd"' in names
    assert '"gradient_cosine"' in names
    with pytest.raises(ValueError, match="Cash generates weights for each observation"):
        export(checkpoint_in(run.folder_name), tmp_path / "out", [], trust=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_cells": []}, "num_cells of cash must not be empty"),
        ({"adapter_cells": [0]}, "adapter_cells must be positive whole numbers"),
        ({"weight_scale": 0.0}, r"weight_scale=0\.0 must be positive, and bias_scale=0\.0 must"),
        ({"bias_scale": -1.0}, r"bias_scale=-1\.0 must not be negative"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config_of("cash", **changes)
