"""Capability codes: what hypernetworks that read them equal, and what they refuse."""

import pytest
import torch
from support.benchmarl_requests import (
    call,
    central_critic,
    config_of,
    group_spec,
    policy,
    randomise,
)
from support.experiments import check_training, experiment
from support.resuming import assert_same, final_state, interrupted_and_resumed, resumable
from support.run_folders import checkpoint_in
from support.tiny_task import tiny_task
from tensordict import TensorDict

from benchmarl_hyper import EmbeddingCallback, GradientCallback, SndCallback, StepSizesCallback
from benchmarl_hyper.export.policies import export

N, F, OUT = 3, 5, 2


def coded(codes="capability", make=policy, name="hypermarl_mlp", **changes):
    changes = {"capability_indices": [-2, -1], **changes}
    return randomise(make(config_of(name, codes=codes, **changes)))


def test_both_with_the_whole_observation_is_hypermarl_no_gd_with_the_same_draws():
    models = []
    for config in (
        config_of("hypermarl_mlp", codes="both"),
        config_of("hypermarl_no_gd"),
    ):
        torch.manual_seed(0)
        models.append(policy(config, N, F))
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(ours, theirs)
    x = torch.randn(4, N, F)
    assert torch.equal(*(call(model, x) for model in models))


@pytest.mark.parametrize("name", ["hypermarl_mlp", "hypermarl_no_rf"])
def test_capabilities_that_are_ids_are_one_hot_embeddings(name):
    """An agent that observes its own one-hot id has the network that an embedding gives it."""
    model = coded(name=name, capability_indices=[2, 3, 4])
    plain = policy(config_of(name, embedding_dim=None), N, F)
    plain.load_state_dict(
        {**plain.state_dict(), **{k: x for k, x in model.state_dict().items() if "index" not in k}}
    )
    x = torch.cat([torch.randn(4, N, 2), torch.eye(N).expand(4, -1, -1)], -1)
    torch.testing.assert_close(call(model, x), call(plain, x))


@pytest.mark.parametrize("batch", [(), (4,), (4, 6)])
def test_equal_capabilities_are_equal_policies(batch):
    model = coded()
    x = torch.randn(*batch, 1, F).expand(*batch, N, F)
    y = call(model, x)
    torch.testing.assert_close(y[..., :1, :].expand_as(y), y)
    other = x.clone()
    other[..., 0, -1] += 1
    z = call(model, other)
    assert not torch.allclose(z[..., 0, :], y[..., 0, :])
    torch.testing.assert_close(z[..., 1:, :], y[..., 1:, :])
    both = call(coded("both"), x)
    assert not torch.allclose(both[..., 0, :], both[..., 1, :])


def test_a_central_critic_reads_each_agents_own_capability():
    model = coded(make=central_critic)
    x = torch.randn(4, N, F)
    weights = model.generator(x[..., -2:])
    for sample, agent in ((0, 0), (3, 2)):
        y = x[sample].flatten()
        for i, layer in enumerate(weights):
            row = sample * N + agent
            y = (torch.tanh(y) if i else y) @ layer.weight[row] + layer.bias[row, 0]
        torch.testing.assert_close(call(model, x)[sample, agent], y, atol=1e-5, rtol=1e-4)


def test_capabilities_may_be_entries_of_their_own():
    spec = group_spec(N, observation=F, ability=2, size=1)
    config = config_of("hypermarl_mlp", codes="capability", capability_keys=["size", "ability"])
    model = randomise(policy(config, input_spec=spec))
    entries = {
        k: torch.randn(4, N, s) for k, s in (("observation", F), ("ability", 2), ("size", 1))
    }
    td = TensorDict({"agents": TensorDict(entries, [4, N])}, [4])
    read = torch.cat([entries["size"], entries["ability"]], -1)
    assert torch.equal(model.capability(td), read)
    assert model.generator.trunks[0].weight.shape[1] == 3
    assert model(td)["agents", "logits"].shape == (4, N, OUT)


# --- In experiments


@pytest.mark.parametrize("codes", ["capability", "both"])
@pytest.mark.parametrize(
    ("algorithm", "continuous"), [("ippo", True), ("isac", True), ("iql", False)]
)
def test_they_train_and_evaluate(algorithm, continuous, codes, tmp_path):
    config = config_of("hypermarl_mlp", codes=codes, capability_indices=[0, 1])
    check_training(experiment(tmp_path, config, algorithm, continuous=continuous))


def test_resumes_bit_for_bit(tmp_path):
    settings = {"model": config_of("hypermarl_mlp", codes="both", capability_indices=[0, 1])}
    whole = resumable(tmp_path / "whole", **settings)
    whole.run()
    (tmp_path / "parts").mkdir()
    again = interrupted_and_resumed(tmp_path / "parts", **settings)
    assert_same(final_state(again), final_state(whole))


@pytest.mark.parametrize("codes", ["capability", "both"])
def test_diagnostics_measure_what_there_is(codes, tmp_path):
    kinds = (SndCallback, StepSizesCallback, EmbeddingCallback)
    callbacks = [GradientCallback(every=1), *(kind() for kind in kinds)]
    config = config_of("hypermarl_mlp", codes=codes, capability_indices=[-1])
    run = experiment(tmp_path, config, callbacks=callbacks, max_n_iters=1)
    run.run()
    names = (run.folder_name / "diagnostics.jsonl").read_text(encoding="utf-8")
    assert '"snd"' in names
    assert '"gradient_cosine"' in names
    assert ('"embedding"' in names) == (codes == "both")
    assert callbacks[2].passed_over == {"agents"}  # weights of its own for each sample


# --- Errors


def test_there_is_nothing_to_export(tmp_path):
    config = config_of("hypermarl_mlp", codes="capability", capability_indices=[-1])
    run = experiment(tmp_path, config, checkpoint_at_end=True, max_n_iters=1)
    run.run()
    with pytest.raises(ValueError, match=r"HypermarlMlp generates weights for each observation"):
        export(checkpoint_in(run.folder_name), tmp_path / "out", [], trust=True)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("hypermarl_mlp", {"codes": "id"}, "one of embedding, capability, both, got 'id'"),
        ("hypermarl_mlp", {"capability_indices": [0]}, r"=\[0\] has no effect with codes=embedd"),
        ("hypermarl", {"codes": "both"}, r"step_norm=unit centres .* codes=both .* to null, or"),
        ("hypermarl_mlp", {"max_bytes": 0}, "max_bytes must be positive whole numbers"),
        ("hypermarl_mlp", {"capability_keys": []}, r"capability_keys must name at least one.*\[\]"),
        (
            "hypermarl_mlp",
            {"codes": "both", "capability_indices": [1, 1]},
            r"capability_indices must name at least one, and none of them twice, got \[1, 1\]",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(name, **changes)


def test_without_normed_steps_hypermarl_reads_capabilities():
    plain = {"step_norm": None, "common_step": None, "own_step": None}
    model = coded(name="hypermarl", **plain)
    assert call(model, torch.randn(4, N, F)).shape == (4, N, OUT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"capability_keys": ["size"]}, r"no input called size; its inputs are observation"),
        ({"capability_indices": [0, 5]}, r"between -5 and 4, got 5"),
        ({"capability_indices": [-6]}, r"group 'agents' reads 5 features there.*got -6"),
    ],
)
def test_features_that_are_not_there_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        coded(**changes)


def test_a_critic_of_a_global_state_is_refused(tmp_path):
    config = config_of("hypermarl_mlp", codes="capability", capability_indices=[-1])
    with pytest.raises(ValueError, match=r"reads a global state.*model@critic_model=layers/fups"):
        experiment(tmp_path, config, "mappo", tiny_task)
    experiment(tmp_path, config, "mappo", tiny_task, critic_model=config_of("fups")).close()
