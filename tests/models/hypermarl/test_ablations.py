"""HyperMARL's ablations: what they equal, what they refuse, and that they train."""

import math

import pytest
import torch
from support.benchmarl_requests import ABLATIONS, call, central_critic, config_of, policy, randomise
from support.experiments import ALGORITHMS, algorithm_config, check_training, experiment
from support.run_folders import checkpoint_in
from support.tiny_task import tiny_task

from benchmarl_hyper import GradientCallback, SndCallback
from benchmarl_hyper.export.policies import export
from benchmarl_hyper.weights.layers import target_mlp

N, F, OUT = 3, 5, 2


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def no_gd(make=policy, **changes):
    return randomise(make(config_of("hypermarl_no_gd", **changes)))


def weights_per_frame(model):
    size = torch.get_default_dtype().itemsize
    return (
        size
        * model.n_agents
        * sum((i + 1) * o for i, o in zip(model.sizes, model.sizes[1:], strict=False))
    )


# --- Without gradient decoupling


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("make", [policy, central_critic])
@pytest.mark.parametrize("changes", [{}, {"embedding_dim": None}, {"code_norm": "unit"}], ids=str)
@pytest.mark.parametrize("batch", [(), (4,), (4, 6)])
def test_without_weights_for_the_observation_it_is_hypermarl_mlp(make, changes, batch):
    observed, plain = no_gd(make, **changes), randomise(make(config_of("hypermarl_mlp", **changes)))
    first, state = "generator.trunks.0.weight", plain.state_dict()
    observed_inputs = torch.zeros(len(state[first]), observed.sizes[0], state[first].shape[-1])
    state[first] = torch.cat([observed_inputs, state[first]], dim=1)
    observed.load_state_dict(state)
    observation = torch.randn(*batch, N, F)
    torch.testing.assert_close(call(observed, observation), call(plain, observation))


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("make", [policy, central_critic])
def test_every_sample_runs_on_weights_of_observation_and_embedding(make):
    model, observation = no_gd(make), torch.randn(4, N, F)
    y, generator = call(model, observation), model.generator
    for sample, i in ((0, 0), (3, 2)):
        read = observation[sample, i] if make is policy else observation[sample].flatten()
        code = torch.cat([read, generator.embedding()[i]])
        code = torch.relu(code @ generator.trunks[0].weight + generator.trunks[0].bias)  # per trunk
        x = read
        for layer, head in enumerate(generator.heads):
            weight = torch.einsum("c,cio->io", code[layer], head.rows.weight)
            bias = torch.einsum("c,co->o", code[layer + len(generator.heads)], head.rows.bias)
            x = torch.tanh(x) if layer else x
            x = x @ (weight + head.offset.weight[0]) + bias + head.offset.bias[0]
        torch.testing.assert_close(y[sample, i], x)


def test_its_weights_start_at_the_scale_of_the_variant_it_is_compared_with():
    heads = policy(config_of("hypermarl_no_gd")).generator.heads
    for head, gain in zip(heads, [2**0.5, 2**0.5, 0.01], strict=True):
        norms = torch.linalg.matrix_norm(head.rows.weight, 2)
        torch.testing.assert_close(norms, torch.full_like(norms, gain))
        assert not head.rows.bias.any()


@pytest.mark.parametrize("state", [True, False])
def test_critics_of_one_agent_need_no_agent_dimension(state):
    config = config_of("hypermarl_no_gd")
    model = randomise(central_critic(config, 1, F, share_params=True, state=state))
    assert call(model, torch.randn(4, F) if state else torch.randn(4, 1, F)).shape == (4, 1)


def test_every_agent_reads_a_global_state():
    model, state = no_gd(lambda config: central_critic(config, N, F, state=True)), torch.randn(4, F)
    local = policy(config_of("hypermarl_no_gd"), N, F, 1)
    local.load_state_dict(model.state_dict())
    everywhere = state.unsqueeze(-2).expand(4, N, F)
    torch.testing.assert_close(call(model, state), call(local, everywhere))


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("samples", [1, 3, 7])
@torch.no_grad()
def test_without_gradient_parts_fit_into_memory(samples, monkeypatch):
    model, observation = no_gd(), torch.randn(7, N, F)
    expected, seen = call(model, observation), []
    model.max_bytes = samples * weights_per_frame(model)
    run = model._run_samples
    monkeypatch.setattr(
        model, "_run_samples", lambda *part: seen.append(len(part[0])) or run(*part)
    )
    torch.testing.assert_close(call(model, observation), expected)
    assert len(seen) == math.ceil(7 / samples)
    assert max(seen) == samples


def test_with_gradient_the_error_says_what_would_fit():
    model = no_gd()
    size = weights_per_frame(model)
    model.max_bytes = 3 * size
    assert call(model, torch.randn(3, N, F)).requires_grad
    message = (
        rf"group 'agents' would generate weights of {5 * size:,} bytes for 5 frames, and "
        rf"max_bytes is {3 * size:,}; use minibatches of at most 3 frames"
    )
    with pytest.raises(ValueError, match=message):
        call(model, torch.randn(5, N, F))


def test_the_bytes_are_those_of_the_weights():
    model = no_gd()
    made = model.generator(torch.randn(7, N, F))
    assert sum(x.nbytes for layer in made for x in layer) == 7 * weights_per_frame(model)


def test_a_run_is_refused_by_its_minibatch_and_not_by_its_evaluation(tmp_path):
    config = config_of("hypermarl_no_gd", max_bytes=1)
    run = experiment(tmp_path, config)
    with torch.no_grad():
        assert run.test_env.rollout(3, run.policy)["agents", "action"].isfinite().all()
    with pytest.raises(ValueError, match="of at most 0 frames"):
        run.run()


def test_the_remedy_of_the_error_trains(tmp_path):
    """Minibatches fit, the batch does not: for the advantages the critic is run with gradient."""
    run = experiment(tmp_path, "hypermarl_no_gd")
    run.close()
    critic = run.losses["agents"].critic_network
    fitting = config_of("hypermarl_no_gd", max_bytes=5 * weights_per_frame(critic))
    with pytest.raises(ValueError, match="for 8 frames"):
        experiment(tmp_path, fitting).run()
    divided = algorithm_config("ippo", minibatch_advantage=True)
    experiment(tmp_path, fitting, divided).run()


@pytest.mark.parametrize("name", ["generate", "agent_parameters"])
def test_agents_have_no_weights_of_their_own(name):
    with pytest.raises(ValueError, match="HypermarlNoGd generates weights for each observation"):
        getattr(no_gd(), name)()


def test_there_is_nothing_to_export(tmp_path):
    run = experiment(tmp_path, "hypermarl_no_gd", checkpoint_at_end=True, max_n_iters=1)
    run.run()
    with pytest.raises(ValueError, match="choose a variant whose hypernetwork reads the agent"):
        export(checkpoint_in(run.folder_name), tmp_path / "out", [], trust=True)


# --- Without the initialisation per layer


def test_heads_without_it_have_one_variance_in_all_layers():
    config = config_of("hypermarl_no_rf", num_cells=[32, 64], hypernet_cells=[50])
    model = policy(config, n_features=40, n_outputs=30)
    for head in model.generator.heads:
        assert head.rows.weight.std().item() == pytest.approx(50**-0.5, rel=0.05)
        assert not head.rows.bias.any()
        assert not head.offset.weight.any()


def test_after_the_same_weights_it_is_hypermarl_mlp():
    models = [randomise(policy(config_of(f"hypermarl_{name}"))) for name in ("no_rf", "mlp")]
    models[1].load_state_dict(models[0].state_dict())
    observation = torch.randn(4, N, F)
    assert torch.equal(*(call(model, observation) for model in models))
    weights = [layer.weight.mT for layer in models[0].generate()]
    assert [x.shape for x in weights] == [(N, 8, F), (N, 8, 8), (N, OUT, 8)]
    y = target_mlp(observation.transpose(0, 1), models[0].generate(), torch.tanh)
    torch.testing.assert_close(y.transpose(0, 1), call(models[1], observation))


@pytest.mark.parametrize("changes", [{"init": "torch"}, {"out_gain": 1.0}])
def test_settings_without_effect_are_refused(changes):
    with pytest.raises(ValueError, match="have no effect on hypermarl_no_rf"):
        config_of("hypermarl_no_rf", **changes)


# --- In experiments


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "continuous"), ALGORITHMS[::2])
def test_no_gd_trains_and_evaluates(algorithm, continuous, tmp_path):
    check_training(experiment(tmp_path, "hypermarl_no_gd", algorithm, tiny_task, continuous))


@pytest.mark.parametrize("algorithm", ["mappo", "masac"])
def test_no_rf_trains_and_evaluates(algorithm, tmp_path):
    check_training(experiment(tmp_path, "hypermarl_no_rf", algorithm, tiny_task))


@pytest.mark.parametrize("variant", ABLATIONS)
def test_they_can_be_measured(variant, tmp_path):
    callbacks = [SndCallback(), GradientCallback(every=1)]
    run = experiment(tmp_path, variant, callbacks=callbacks, max_n_iters=1)
    run.run()
    names = (run.folder_name / "diagnostics.jsonl").read_text(encoding="utf-8")
    assert '"snd"' in names
    assert '"gradient_cosine"' in names
    assert ('"gradient_norms"' in names) == (variant == "hypermarl_no_rf")
