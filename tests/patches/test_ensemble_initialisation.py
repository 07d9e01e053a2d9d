"""SAC's ensembles keep the initialisation of our critics, and of nobody else's."""

import pytest
import torch
from benchmarl.models import MlpConfig
from support.benchmarl_requests import MODELS, config_of
from support.experiments import experiment
from torch import nn
from torchrl.objectives import LossModule

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.patches import ensemble_initialisation as ensembles

SUMS = ("hypermarl_mlp", "hypermarl", "hypermarl_lowrank")  # what these generate


def members(loss, module_name="qvalue_network"):
    """Each critic of an ensemble, with its own parameters and those of its target."""
    module = getattr(loss, module_name)
    for prefix in ("", "target_"):
        for params in dict(loss.named_children())[f"{prefix}{module_name}_params"].data.unbind(0):
            with params.to_module(module):
                yield next(m for m in module.modules() if isinstance(m, GeneratedMlp))


def losses(folder, variant, algorithm, continuous, **changes):
    run = experiment(folder, config_of(variant, **changes), algorithm, continuous=continuous)
    run.close()
    return run.losses["agents"]


@pytest.mark.parametrize("variant", ["fups", "nops", "hypermarl_linear"])
@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("algorithm", ["masac", "isac"])
def test_members_start_orthogonal_with_zero_biases(algorithm, continuous, variant, tmp_path):
    weights = []
    for model in members(losses(tmp_path, variant, algorithm, continuous)):
        layers = model.generate()
        for (weight, bias), gain in zip(layers, [2**0.5, 2**0.5, 1.0], strict=True):
            short = weight if weight.shape[1] <= weight.shape[2] else weight.mT
            identity = torch.eye(short.shape[1]).expand(len(short), -1, -1)
            torch.testing.assert_close(short @ short.mT, gain**2 * identity)
            assert not bias.any()
        weights.append(layers[0].weight.clone())
    assert len(weights) == 4
    assert not torch.equal(weights[0], weights[1])  # the members differ,
    assert torch.equal(weights[0], weights[2])  # targets start equal
    assert torch.equal(weights[1], weights[3])


@pytest.mark.parametrize("embedding_dim", [4, None])
@pytest.mark.parametrize("algorithm", ["masac", "isac"])
def test_hypernetworks_start_as_built(algorithm, embedding_dim, tmp_path):
    loss = losses(tmp_path, "hypermarl_mlp", algorithm, True, embedding_dim=embedding_dim)
    for model in members(loss):
        generator = model.generator
        rows = generator.embedding()
        expected = torch.eye(len(rows)) * (1 if embedding_dim is None else 2)
        torch.testing.assert_close(rows @ rows.T, expected)
        for head in generator.heads:
            weight = head.rows.weight[0]
            short = weight if weight.shape[0] <= weight.shape[1] else weight.T
            gram = short @ short.T
            torch.testing.assert_close(gram, gram[0, 0] * torch.eye(len(short)))
            assert not head.rows.bias.any()
            assert not head.offset.weight.any()
    trained = sum(p.numel() for p in loss.qvalue_network_params.parameters())
    table = 2 * 2 * (embedding_dim or 0)  # members x agents x dim; one-hot rows are not trained
    assert trained == table + 2 * sum(
        p.numel() for part in (generator.trunks, generator.heads) for p in built(part)
    )


@pytest.mark.parametrize("variant", ["hypermarl_gru", "nops_gru"])
def test_memories_start_as_built(variant, tmp_path):
    weights = []
    for model in members(losses(tmp_path, variant, "isac", True)):
        cell = model.gru.params["grus", "0"]
        gates = cell["weight_hh"].reshape(-1, 6, 6)
        torch.testing.assert_close(gates @ gates.mT, torch.eye(6).expand(len(gates), -1, -1))
        assert not cell["bias_ih"].any()
        weight, _ = model.encoder()[0]
        short = weight if weight.shape[1] <= weight.shape[2] else weight.mT
        identity = torch.eye(short.shape[1]).expand(len(short), -1, -1)
        torch.testing.assert_close(short @ short.mT, 2 * identity)
        weights.append(gates.clone())
    assert len(weights) == 4
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])


def built(module):
    """The parameters a module was built with, also where a loss has put others in their place."""
    return module._parameters.values() if not module._modules else module.parameters()


@pytest.mark.parametrize("variant", MODELS)
def test_torch_initialisation_stays_within_its_bounds(variant, tmp_path):
    for model in members(losses(tmp_path, variant, "isac", True, init="torch")):
        if variant not in SUMS:
            for weight, _ in model.generate():
                assert weight.abs().max() <= weight.shape[1] ** -0.5 + 1e-6


def test_other_models_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(ensembles, "initialise_ensemble", lambda *_: pytest.fail("not ours"))
    mlp = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)
    experiment(tmp_path, mlp, "isac").close()


def test_torchrl_still_destroys_the_initialisation(tmp_path, monkeypatch):
    """The reason for the wrap. When this fails, torchrl has mended it: delete the patch."""
    original = LossModule.convert_to_functional.__wrapped__
    monkeypatch.setattr(LossModule, "convert_to_functional", original)
    for model in members(losses(tmp_path, "nops", "isac", True)):
        weight = model.generate()[1].weight[0]
        assert (weight @ weight.T - 2 * torch.eye(8)).abs().max() > 0.5
