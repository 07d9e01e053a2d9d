"""Weights are generated once per rollout, and no number depends on it."""

import contextlib
import copy
import pickle

import pytest
import torch
from benchmarl.experiment import Experiment
from support.benchmarl_requests import MODELS, call, config_of, policy, randomise
from support.experiments import experiment
from tensordict import TensorDict
from tensordict.nn import TensorDictParams

from benchmarl_hyper.running import rollout_cache as rollouts
from benchmarl_hyper.running.rollout_cache import always_generate, fixed_parameters

ALGORITHMS = {
    **dict.fromkeys(("ippo", "mappo", "iddpg", "maddpg", "isac", "masac"), True),
    **dict.fromkeys(("iql", "vdn", "qmix"), False),
}
GENERATING = ["hypermarl_linear", "hypermarl_mlp", "hypermarl_lowrank"]
OBSERVATION = torch.rand(4, 3, 5)


@contextlib.contextmanager
def count(model):
    """How often a model generates in the block."""
    calls = []
    hook = model.generator.register_forward_hook(lambda *_: calls.append(1))
    try:
        yield calls
    finally:
        hook.remove()


def policy_in(module):
    return next(part for part in module.modules() if hasattr(part, "generator"))


def everything(run):
    """All that training changes: networks, targets and the collector's copy, by name."""
    parts = {"loss": run.losses["agents"], "policy": run.policy, "copy": run.collector.policy}
    return {
        f"{part}.{name}": value
        for part, module in parts.items()
        for name, value in module.state_dict().items()
        if isinstance(value, torch.Tensor)
    }


def trained(folder, **changes):
    run = experiment(folder, "hypermarl_mlp", max_n_iters=3, **changes)
    run.run()
    return everything(run)


def assert_identical(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key


# --- Training


PLAIN, FUSED = ({}, "cpu"), ({"fused": True}, "cpu:0")
HOWS = {"mappo": PLAIN, "iddpg": PLAIN, "masac": PLAIN, "vdn": PLAIN, "iql": PLAIN}


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_is_the_same_bit_for_bit(algorithm, tmp_path):
    """On another device, if only by name, the collector has a copy of the policy."""
    adam, device = HOWS.get(algorithm, FUSED)
    changes = {
        "algorithm": algorithm,
        "continuous": ALGORITHMS[algorithm],
        "adam_extra_kwargs": adam,
        "sampling_device": device,
    }
    with always_generate():
        expected = trained(tmp_path, **changes)
    assert_identical(trained(tmp_path, **changes), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "adam"), [("ippo", {}), ("isac", {"fused": True})])
def test_a_resumed_run_is_the_same_bit_for_bit(algorithm, adam, tmp_path):
    run = experiment(
        tmp_path, "hypermarl_mlp", algorithm, checkpoint_at_end=True, adam_extra_kwargs=adam
    )
    run.run()
    (checkpoint,) = (run.folder_name / "checkpoints").iterdir()

    def resumed():
        again = Experiment.reload_from_file(str(checkpoint), {"max_n_iters": 4})
        again.run()
        return everything(again)

    with always_generate():
        expected = resumed()
    assert_identical(resumed(), expected)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_a_rollout_generates_once(device, tmp_path):
    run = experiment(tmp_path, "hypermarl_mlp", sampling_device=device)
    collector = iter(run.collector)
    with count(policy_in(run.collector.policy)) as calls:
        for batches in (1, 2):
            next(collector)
            assert len(calls) == batches
    with count(policy_in(run.policy)) as calls, torch.no_grad():
        run.test_env.rollout(4, policy=run.policy)
        assert len(calls) == 1
        with always_generate():
            run.test_env.rollout(4, policy=run.policy)
    assert len(calls) == 5
    run.close()


# --- Writes


def fused_step(model):
    optimiser = torch.optim.Adam(model.parameters(), fused=True)
    with torch.enable_grad():
        call(model, OBSERVATION).sum().backward()
    optimiser.step()


def write_data(model):
    for parameter in model.parameters():
        parameter.data.add_(0.1)


def load(model):
    state = {key: value + 0.1 for key, value in model.state_dict().items()}
    model.load_state_dict(state)


def share(model):
    randomise(copy.deepcopy(model)).share_params_with(model)


def replace_data(model):
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.1


def update(model):
    parameters = TensorDict.from_module(model)
    parameters.data.update_(parameters.data.apply(lambda x: x + 0.1))


def step(model):
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with torch.enable_grad():
        call(model, OBSERVATION).sum().backward()
    optimiser.step()


def write(model):
    with torch.no_grad():
        next(iter(model.parameters())).add_(0.1)


@pytest.mark.parametrize(
    "change", [fused_step, step, write, write_data, replace_data, load, share, update]
)
@pytest.mark.parametrize("variant", GENERATING)
@torch.no_grad()
def test_writes_between_rollouts_are_seen(variant, change):
    model = randomise(policy(config_of(variant)))
    with fixed_parameters():
        before = call(model, OBSERVATION)
    change(model)
    with fixed_parameters():
        after = call(model, OBSERVATION)
    assert not torch.equal(before, after)
    assert torch.equal(after, call(model, OBSERVATION))


@pytest.mark.parametrize("change", [step, write, load])
@pytest.mark.parametrize("variant", GENERATING)
@torch.no_grad()
def test_ordinary_writes_within_a_rollout_are_seen(variant, change):
    model = randomise(policy(config_of(variant)))
    with fixed_parameters():
        before = call(model, OBSERVATION)
        change(model)
        after = call(model, OBSERVATION)
    assert not torch.equal(before, after)
    assert torch.equal(after, call(model, OBSERVATION))


# --- Calls with other parameters


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: TensorDictParams(x, no_convert=True)])
@pytest.mark.parametrize("variant", GENERATING)
@torch.no_grad()
def test_a_functional_call_neither_reads_nor_leaves_anything(variant, wrap):
    model, other = (randomise(policy(config_of(variant))) for _ in range(2))
    parameters = wrap(TensorDict.from_module(other).data)
    own, theirs = call(model, OBSERVATION), call(other, OBSERVATION)

    def functional():
        with parameters.to_module(model):
            return call(model, OBSERVATION)

    for first, second in ((functional, lambda: call(model, OBSERVATION)),) * 2:
        with fixed_parameters():
            assert torch.equal(first(), theirs)
            assert torch.equal(second(), own)
            assert torch.equal(first(), theirs)


@pytest.mark.parametrize("variant", GENERATING)
@torch.no_grad()
def test_a_vmapped_call_leaves_nothing(variant):
    model = randomise(policy(config_of(variant)))
    parameters = TensorDict.from_module(model).data
    stacked = torch.stack([parameters, parameters.apply(lambda x: x + 0.1)])

    def functional(member):
        with member.to_module(model):
            return call(model, OBSERVATION)

    expected = call(model, OBSERVATION)
    with fixed_parameters():
        ensemble = torch.vmap(functional, (0,))(stacked)
        # Batched, products sum in another order
        torch.testing.assert_close(ensemble[0], expected, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(ensemble[1], expected)
        assert torch.equal(call(model, OBSERVATION), expected)


def test_gradients_pass_within_a_rollout():
    model = randomise(policy(config_of("hypermarl_mlp")))
    with fixed_parameters():
        with torch.no_grad():
            call(model, OBSERVATION)
        call(model, OBSERVATION).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


# --- Scope


@torch.no_grad()
def test_the_innermost_rollout_decides():
    model = policy(config_of("hypermarl_mlp"))
    with count(model) as calls:
        call(model, OBSERVATION)
        call(model, OBSERVATION)
        assert len(calls) == 2
        with fixed_parameters():
            call(model, OBSERVATION)
            with always_generate():
                call(model, OBSERVATION)
            with fixed_parameters():
                call(model, OBSERVATION)
                call(model, OBSERVATION)
            call(model, OBSERVATION)
    assert len(calls) == 5


@pytest.mark.parametrize("variant", MODELS)
@torch.no_grad()
def test_copies_and_pickles_made_within_a_rollout_are_on_their_own(variant):
    model = randomise(policy(config_of(variant)))
    with fixed_parameters():
        call(model, OBSERVATION)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            write_data(twin)
            assert not torch.equal(call(twin, OBSERVATION), call(model, OBSERVATION))


def test_parameters_made_for_inference_are_not_kept():
    with torch.inference_mode():
        model = policy(config_of("hypermarl_mlp"))
        with count(model) as calls, fixed_parameters():
            call(model, OBSERVATION)
            call(model, OBSERVATION)
    assert len(calls) == 2


@torch.no_grad()
def test_graphs_that_are_captured_generate_for_themselves(monkeypatch):
    model = policy(config_of("hypermarl_mlp"))
    monkeypatch.setattr(rollouts, "_is_capturing", lambda: True)
    with count(model) as calls, fixed_parameters():
        call(model, OBSERVATION)
        call(model, OBSERVATION)
    assert len(calls) == 2
