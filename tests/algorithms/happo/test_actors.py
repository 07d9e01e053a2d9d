"""One model per agent: outputs, separate tensors, gradients, and every kind of model."""

import pytest
import torch
from benchmarl.models import GnnConfig, GruConfig, SequenceModelConfig
from benchmarl.models.common import EnsembleModelConfig
from support.benchmarl_requests import call, config_of, policy, randomise
from support.happo_runs import GROUP, MLP, PASSES, N, Recorder, happo
from torch import nn

from benchmarl_hyper.algorithms.happo.actors import OwnModelsConfig


@pytest.mark.parametrize("n_agents", [1, 3])
@pytest.mark.parametrize("batch", [(), (7,), (2, 5)])
def test_each_agent_runs_its_own_model(n_agents, batch):
    own = randomise(policy(OwnModelsConfig(config_of("hypermarl_mlp")), n_agents))
    x = torch.randn(*batch, n_agents, 5)
    y = call(own, x)
    assert y.shape == (*batch, n_agents, 2)
    for i, model in enumerate(own.models):
        assert torch.equal(call(model, x[..., i : i + 1, :]), y[..., i : i + 1, :])
    together = {id(p) for model in own.models for p in model.parameters()}
    assert len(together) == n_agents * len(list(own.models[0].parameters()))


@pytest.mark.parametrize("agent", [0, 2])
def test_gradients_reach_one_agent_alone(agent):
    own = randomise(policy(OwnModelsConfig(config_of("nops"))))
    with own.only(agent):
        call(own, torch.randn(4, 3, 5)).sum().backward()
    for i, model in enumerate(own.models):
        assert all((p.grad is None) == (i != agent) for p in model.parameters())
    call(own, torch.randn(4, 3, 5)).sum().backward()
    assert all(p.grad is not None for p in own.parameters())


GRU = GruConfig(
    hidden_size=4,
    n_layers=1,
    bias=True,
    dropout=0.0,
    compile=False,
    mlp_num_cells=[],
    mlp_activation_class=nn.Tanh,
    mlp_layer_class=nn.Linear,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        GRU,
        SequenceModelConfig(model_configs=[GRU, config_of("nops")], intermediate_sizes=[5]),
        config_of("nops_gru"),
        SequenceModelConfig(model_configs=[MLP, MLP], intermediate_sizes=[5]),
        EnsembleModelConfig({GROUP: config_of("hypermarl_mlp")}),
    ],
    ids=["gru", "gru and nops", "nops_gru", "mlps", "ensemble"],
)
def test_any_model_of_one_agent(model, tmp_path):
    recorder = Recorder()
    run = happo(
        tmp_path,
        model,
        callbacks=[recorder],
        critic_model=GRU if model.is_rnn else MLP,
        on_policy_minibatch_size=8,
        evaluation=True,
    )
    run.run()
    assert len(recorder.steps[GROUP]) == 2 * N * PASSES
    for training in recorder.training[GROUP]:  # the first loss sees what collection saw
        assert training[0]["kl_approx"].abs() < 1e-5


def test_a_model_that_reads_other_agents_is_refused(tmp_path):
    gnn = GnnConfig(topology="full", self_loops=False, gnn_class=nn.Module, gnn_kwargs=None)
    for model in (
        gnn,
        SequenceModelConfig(model_configs=[MLP, gnn], intermediate_sizes=[5]),
        EnsembleModelConfig({GROUP: gnn}),
    ):
        with pytest.raises(ValueError, match=r"gnn exchanges messages.*model=layers/mlp"):
            happo(tmp_path, model, critic_model=MLP)
