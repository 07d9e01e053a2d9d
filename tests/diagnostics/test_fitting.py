"""Every callback with every algorithm and model: it measures, or passes over with one line."""

import json

import pytest
import torch
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.models import SequenceModelConfig, model_config_registry
from support import user_algorithms
from support.benchmarl_requests import config_of
from support.experiments import experiment, one_group, two_groups
from support.extras import missing
from support.extras import reason as reason_for
from support.run_folders import checkpoint_in
from support.tiny_task import shaped_task, tiny_task
from tensordict import TensorDict
from tensordict.nn import TensorDictModule, TensorDictSequential
from torch import distributions
from torchrl import modules
from torchrl.data import Unbounded
from torchrl.modules import ProbabilisticActor

from benchmarl_hyper.diagnostics import callbacks
from benchmarl_hyper.diagnostics.callbacks import CALLBACKS, callbacks_named
from benchmarl_hyper.diagnostics.fitting import MisfitError
from benchmarl_hyper.diagnostics.policy_outputs import group_distances
from benchmarl_hyper.registry import METHODS
from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.checkpoints import losses_of
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.recording import ResultsCallback

ALGORITHMS = [
    (name, continuous)
    for name, config in algorithm_config_registry.items()
    for continuous in (True, False)
    if (config.supports_continuous_actions if continuous else config.supports_discrete_actions)()
]
# One per loss, on a task with a group of one
TWO_GROUPS = [("mappo", False), ("masac", True), ("isac", False), ("iddpg", True), ("vdn", False)]
TWO_GROUPS += [("iql", False), ("happo", True)]
# Why an algorithm has no policy gradients of its agents
NO_GRADIENTS = {
    "qmix": "QMixerLoss has no actor_network_params",
    "vdn": "QMixerLoss has no actor_network_params",
    "iql": "DQNLoss has no actor_network_params",
    "happo": "HappoLoss is the loss of one agent at a time",
}
USERS = {
    user_algorithms.A2c: None,
    user_algorithms.Reinforce: None,
    user_algorithms.Td3: None,
    user_algorithms.NoReduction: "NoReductionLoss has no reduction",
    user_algorithms.Mean: "MeanLoss without reduction returns a loss_objective of shape ()",
    user_algorithms.Team: "TeamLoss without reduction returns a loss_objective of shape (4,)",
    user_algorithms.Renamed: "RenamedLoss returns none of loss_objective, loss_actor",
}
torchrl_annotations = pytest.mark.filterwarnings("ignore:The name .* wasn't part of the annotat")


def measured(folder, *arguments, **changes):
    """A run with all callbacks, and the names of what each group's diagnostics hold."""
    every = [ResultsCallback("label"), AbsoluteMetricCallback(), *callbacks_named("all")]
    changes = {"kind": ResumableExperiment, "checkpoint_at_end": True, **changes}
    run = experiment(folder, *arguments, callbacks=every, **changes)
    run.run()
    assert losses_of(checkpoint_in(run.folder_name))  # which needs no trust
    assert run.logger.json_writer.run_data["absolute_metrics"]["return"]
    file = run.folder_name / "diagnostics.jsonl"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    names = {group: set() for group in run.group_map}
    for entry in map(json.loads, text.splitlines()):
        names[entry["group"]].add(entry["name"])
    return run, names


def lines(caplog):
    """What the callbacks said."""
    own = "benchmarl_hyper.diagnostics.fitting"
    return [record.getMessage() for record in caplog.records if record.name == own]


def check(run, names, said, expected):
    """One line for each group and callback that does not fit, and values for all others.

    Args:
        said: the lines of the log.
        expected: the reason of each callback that does not fit.
    """
    parts = {
        "SndCallback": "snd",
        "GradientCallback": "gradient_variance",
        "EmbeddingCallback": "embedding_distance",
        "StepSizesCallback": "step_own",
    }
    for group in run.group_map:
        for callback, part in parts.items():
            mine = [
                line for line in said if line.startswith(f"{callback} passes over group '{group}'")
            ]
            found = any(name.startswith(part) for name in names[group])
            if callback not in expected:
                assert found, (callback, group)
                assert not mine
                continue
            (line,) = mine
            assert not found, (callback, group)
            assert expected[callback] in line
    assert len(said) == len(expected) * len(run.group_map)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "continuous", "task"),
    [(*one, two_groups if one in TWO_GROUPS else tiny_task) for one in ALGORITHMS],
)
def test_every_algorithm(algorithm, continuous, task, tmp_path, caplog):
    run, names = measured(tmp_path, "hypermarl_mlp", algorithm, task, continuous)
    expected = {}
    if algorithm in NO_GRADIENTS:
        expected["GradientCallback"] = NO_GRADIENTS[algorithm]
    if algorithm != "happo":
        check(run, names, lines(caplog), expected)
        return
    # HAPPO's agents have a model each, which is a whole one only in a group of one.
    alone = {group for group, agents in run.group_map.items() if len(agents) == 1}
    for group in run.group_map:
        mine = [line for line in lines(caplog) if f"'{group}'" in line]
        assert len(mine) == (1 if group in alone else 3)
        assert ("embedding" in names[group]) == (group in alone)


@torchrl_annotations
@pytest.mark.parametrize("algorithm", USERS)
def test_algorithms_of_users(algorithm, tmp_path, caplog):
    config = user_algorithms.config_of(algorithm)
    run, names = measured(tmp_path, "hypermarl_mlp", config, tiny_task)
    reason = USERS[algorithm]
    check(run, names, lines(caplog), {"GradientCallback": reason} if reason else {})


SND_OF_MODELS = {"gnn": "changes with what other agents see"}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mlp", "gnn", "cnn", "deepsets", "gru", "lstm", "sequence"])
def test_models_of_benchmarl(model, tmp_path, caplog):
    if model == "gnn" and missing("gnn"):
        pytest.skip(reason_for("gnn"))
    shape = {"cnn": (8, 8, 3), "deepsets": (4, 2)}.get(model)
    mlp = model_config_registry["mlp"].get_from_yaml()
    config = (
        SequenceModelConfig([mlp, config_of("nops")], [4])
        if model == "sequence"
        else model_config_registry[model].get_from_yaml()
    )
    critic = model_config_registry["cnn" if model == "cnn" else "mlp"].get_from_yaml()
    critic = config if model in ("deepsets", "gru", "lstm") else critic
    task = shaped_task(*shape) if shape else one_group
    run, names = measured(tmp_path, config, "ippo", task, critic_model=critic)
    expected = {"EmbeddingCallback": "has learned embeddings of all agents"}
    if model != "sequence":
        expected["StepSizesCallback"] = "has weights for each of all agents"
    if model in SND_OF_MODELS:
        expected["SndCallback"] = SND_OF_MODELS[model]
    check(run, names, lines(caplog), expected)


# --- Policies by hand


def actor(distribution, **outputs):
    """A policy with so many numbers of each output, and the distribution that they make."""

    def put_out(observation):
        return tuple(observation[..., :size].exp() for size in outputs.values())

    keys = [("agents", name) for name in outputs]
    net = TensorDictModule(put_out, in_keys=[("agents", "observation")], out_keys=keys)
    if distribution is None:
        return TensorDictSequential(net)
    return ProbabilisticActor(
        net,
        in_keys=dict(zip(outputs, keys, strict=True)),
        out_keys=[("agents", "action")],
        distribution_class=distribution,
        spec=Unbounded((3, 2)),
    )


class MyNormal(modules.TanhNormal):
    """May read loc and scale in another way."""


def steps():
    agents = TensorDict({"observation": torch.randn(5, 3, 4)}, [5, 3])
    return TensorDict({"agents": agents}, [5])


def by_name(policy, td=None):
    return dict(group_distances(policy, [steps() if td is None else td], "agents", "cpu"))


@pytest.mark.parametrize(
    ("distribution", "outputs", "names"),
    [
        (modules.TanhNormal, {"loc": 2, "scale": 2}, {"snd", "snd_loc"}),
        (modules.IndependentNormal, {"loc": 2, "scale": 2}, {"snd", "snd_loc"}),
        (modules.TruncatedNormal, {"loc": 2, "scale": 2}, {"snd", "snd_loc"}),
        (modules.Delta, {"param": 2}, {"snd_loc"}),
        (modules.TanhDelta, {"param": 2}, {"snd_loc"}),
        (distributions.Categorical, {"logits": 3}, {"snd_js", "snd_tvd"}),
        (modules.OneHotCategorical, {"logits": 3}, {"snd_js", "snd_tvd"}),
        (None, {"action_value": 3}, {"snd_js", "snd_tvd"}),
        (None, {"loc": 2, "scale": 2}, {"snd", "snd_loc"}),
    ],
)
def test_known_policies(distribution, outputs, names):
    distances = by_name(actor(distribution, **outputs))
    assert distances.keys() == names
    for matrix in distances.values():
        assert matrix.max() < 1e-3  # the agents are all alike


@pytest.mark.parametrize(
    ("distribution", "outputs", "reason"),
    [
        (MyNormal, {"loc": 2, "scale": 2}, "no distance is known between policies of MyNormal"),
        (modules.Ordinal, {"scores": 3}, "no distance is known between policies of Ordinal"),
        (
            distributions.Beta,
            {"concentration1": 2, "concentration0": 2},
            "no distance is known between policies of Beta",
        ),
        (None, {"action": 2}, "its policy puts out action, and distances are known for loc"),
    ],
)
def test_unknown_policies_are_passed_over(distribution, outputs, reason):
    with pytest.raises(MisfitError, match=reason):
        by_name(actor(distribution, **outputs))


def test_a_policy_that_reads_nothing_of_its_own_is_passed_over():
    policy = actor(None, logits=3)
    policy.in_keys = ["state"]
    with pytest.raises(MisfitError, match="its policy reads nothing of an agent's own"):
        by_name(policy, TensorDict({"state": torch.zeros(5, 4)}, [5]))


def test_agents_that_hear_each_other_are_passed_over():
    def talk(observation):
        return observation + 0.01 * observation.sum(-2, keepdim=True)

    keys = {"in_keys": [("agents", "observation")], "out_keys": [("agents", "logits")]}
    with pytest.raises(MisfitError, match=r"\(logits\) changes with what other agents see"):
        by_name(TensorDictSequential(TensorDictModule(talk, **keys)))
    alone = TensorDict({"agents": steps()["agents"][:, :1]}, [5])
    assert by_name(TensorDictSequential(TensorDictModule(talk, **keys)), alone)["snd_js"] == 0


# --- What is no misfit


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("snd", "group_distances"),
        ("gradients", "gradient_measures"),
        ("embeddings", "principal_axes"),
    ],
)
def test_bugs_are_not_hidden(name, measure, tmp_path, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("a bug")

    monkeypatch.setattr(callbacks, measure, broken)
    run = experiment(tmp_path, "hypermarl_mlp", task=tiny_task, callbacks=callbacks_named([name]))
    with pytest.raises(RuntimeError, match="a bug"):
        run.run()


def test_a_minibatch_without_parts_has_no_variance_between_them(tmp_path):
    """One sequence per minibatch, which cannot be split."""
    config = config_of("fups_gru")
    changes = {"on_policy_minibatch_size": 4, "callbacks": callbacks_named(["gradients"])}
    run = experiment(tmp_path, config, task=one_group, **changes)
    run.run()
    names = {path.stem for path in run.folder_name.rglob("train_agents_gradient_*.csv")}
    assert "train_agents_gradient_variance_coordinates" in names
    assert "train_agents_gradient_variance_minibatches" not in names


# --- Methods do not pass over: without them, something else would train


MODELS = {"seps": config_of("seps", n_networks=2)}
# A method meets every second of the algorithms, and HAPPO, which none of them can use
METHOD_CASES = [
    (method, *one)
    for i, method in enumerate(METHODS)
    for j, one in enumerate(ALGORITHMS)
    if (i + j // 2) % 2 == 0 or one[0] == "happo"
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "algorithm", "continuous"), METHOD_CASES)
def test_methods_train_or_say_why_not(method, algorithm, continuous, tmp_path):
    if method == "seps" and missing("seps"):
        pytest.skip(reason_for("seps"))
    model = MODELS.get(method, config_of(method))
    critic = config_of("nops") if method == "dico" else None
    early = {"pretraining_frames": 8, "epochs": 1} if method == "seps" else {}
    callback = METHODS[method].get_from_yaml(**early)
    arguments = (tmp_path, model, algorithm, tiny_task, continuous, critic, [callback])
    reason = None
    if method == "dico" and not continuous:
        reason = "has discrete actions, but dico scales the means of continuous ones"
    elif algorithm == "happo":
        reason = "choose an algorithm whose agents may share a model, unlike those of happo"
    if reason is None:
        experiment(*arguments, evaluation=False).run()
        return
    with pytest.raises(ValueError, match=reason):
        experiment(*arguments)


@torchrl_annotations
def test_kaleidoscope_needs_the_loss_of_a_policy(tmp_path):
    config = user_algorithms.config_of(user_algorithms.Renamed)
    callback = METHODS["kaleidoscope"].get_from_yaml()
    run = experiment(tmp_path, "kaleidoscope", config, tiny_task, callbacks=[callback])
    with pytest.raises(ValueError, match=r"one of loss_objective, .* has only .*loss_of_mine"):
        run.run()


def test_every_callback_is_of_this_kind():
    assert all(issubclass(kind, callbacks.DiagnosticCallback) for kind in CALLBACKS.values())
