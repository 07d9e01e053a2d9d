import json

import pytest
import torch
from benchmarl.models import GruConfig, MlpConfig
from support.benchmarl_requests import config_of
from support.experiments import experiment, one_group, two_groups
from tensordict import TensorDict
from torch import nn

from benchmarl_hyper.diagnostics.callbacks import (
    EmbeddingCallback,
    GradientCallback,
    SndCallback,
    callbacks_named,
)
from benchmarl_hyper.diagnostics.policy_gradients import mean_policy_gradient, policy_gradients
from benchmarl_hyper.diagnostics.policy_outputs import everyone_on_everything, group_distances
from benchmarl_hyper.diagnostics.step_sizes import StepSizesCallback
from benchmarl_hyper.running.experiment import ResumableExperiment

MLP = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)


POLICY_GRADIENTS = [
    ("ippo", True),
    ("mappo", False),
    ("masac", True),
    ("isac", False),
    ("iddpg", True),
    ("maddpg", True),
]


def every_callback():
    return [SndCallback(), GradientCallback(every=1), EmbeddingCallback()]


def diagnostics(run):
    """The matrices."""
    with open(run.folder_name / "diagnostics.jsonl", encoding="utf-8") as file:
        return [entry for entry in map(json.loads, file) if "matrix" in entry]


def logged(run):
    """Group and name to the last logged matrix."""
    return {(d["group"], d["name"]): torch.tensor(d["matrix"]) for d in diagnostics(run)}


def train(folder, model, *arguments, **changes):
    run = experiment(folder, model, *arguments, callbacks=[SndCallback()], **changes)
    run.run()
    return run


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("model", ["nops", "mlp"])
def test_everybody_is_asked_about_everything(continuous, model, tmp_path):
    """Against each agent's own network, run on each agent's observation."""
    changes = {"share_policy_params": False} if model == "mlp" else {}
    config = MLP if model == "mlp" else model
    run = experiment(tmp_path, config, continuous=continuous, **changes)
    run.close()
    policy = run.algorithm.get_policy_for_loss("agents")
    steps = run.test_env.rollout(4)[0].select(*policy.in_keys)
    out = everyone_on_everything(policy, steps, "agents")
    assert out.batch_size == (2, 2 * len(steps))
    for agent in range(2):
        for other in range(2):
            observation = steps["agents", "observation"][:, other]
            copied = TensorDict(
                {"observation": observation.unsqueeze(1).repeat(1, 2, 1)}, [len(steps), 2]
            )
            alone = policy(TensorDict({"agents": copied}, [len(steps)]))["agents"]
            mine = out[agent].unflatten(0, (2, len(steps)))[other]
            key = "loc" if continuous else "logits"
            torch.testing.assert_close(mine[key], alone[key][:, agent])


# One algorithm per kind of output
OUTPUTS = [
    ("ippo", True, {"snd", "snd_loc"}),
    ("mappo", False, {"snd_js", "snd_tvd"}),
    ("iddpg", True, {"snd_loc"}),
    ("iql", False, {"snd_js", "snd_tvd"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "algorithm", "continuous", "names"),
    [
        *((model, *output) for model in ("fups", "nops") for output in OUTPUTS),
        *((model, *OUTPUTS[0]) for model in ("shared mlp", "unshared mlp")),
    ],
)
def test_sharing_without_id_has_no_diversity(model, algorithm, continuous, names, tmp_path):
    share = {"share_policy_params": model != "unshared mlp"}
    config = MLP if "mlp" in model else model
    run = train(tmp_path, config, algorithm, one_group, continuous, **share)
    matrices = logged(run)
    assert {name for _, name in matrices} == names
    shared = model in ("fups", "shared mlp")
    for (_, name), matrix in matrices.items():
        assert matrix.shape == (2, 2)
        assert matrix.diagonal().max() < 1e-3
        if shared:
            assert matrix.max() < 1e-3
        elif algorithm != "iql":  # whose greedy actions may agree by chance
            assert matrix[0, 1] > 1e-3, name


def test_groups_have_matrices_of_their_own(tmp_path):
    run = train(tmp_path, "nops", "ippo", two_groups)
    matrices = logged(run)
    assert matrices["adversary", "snd"].shape == (2, 2)
    assert matrices["agent", "snd"].tolist() == [[0.0]]
    file = next(run.folder_name.rglob("eval_adversary_snd.csv"))
    last = float(file.read_text(encoding="utf-8").splitlines()[-1].split(",")[1])
    assert last == pytest.approx(matrices["adversary", "snd"][0, 1].item(), rel=1e-5)


def test_every_evaluation_is_kept(tmp_path):
    run = train(tmp_path, "nops")
    assert [d["frames"] for d in diagnostics(run)] == [8, 8, 16, 16]


@pytest.mark.parametrize("algorithm", ["ippo", "mappo"])
def test_recurrent_policies(algorithm, tmp_path):
    callbacks = [SndCallback(), GradientCallback(every=1, parts=2)]
    run = experiment(tmp_path, GruConfig.get_from_yaml(), algorithm, callbacks=callbacks, lr=1e-4)
    run.run()
    assert logged(run)["agents", "snd"].max() < 1e-3
    torch.testing.assert_close(logged(run)["agents", "gradient_cosine"].diagonal(), torch.ones(2))


def test_action_masks_go_with_the_observation():
    """Two agents whose logits differ only in an action that nobody may choose."""

    class Policy:
        in_keys = (("agents", "observation"), ("agents", "action_mask"))
        out_keys = (("agents", "logits"),)

        def __call__(self, td):
            logits = torch.zeros(*td["agents"].batch_size, 3)
            logits[..., 1, 2] = 5.0
            return td.set(("agents", "logits"), logits)

    mask = torch.tensor([True, True, False]).expand(4, 2, 3)
    agents = TensorDict({"observation": torch.randn(4, 2, 5), "action_mask": mask}, [4, 2])
    steps = TensorDict({"agents": agents}, [4])
    distances = dict(group_distances(Policy(), [steps], "agents", "cpu"))
    assert distances["snd_js"].max() < 1e-3
    assert distances["snd_tvd"].max() == 0
    agents["action_mask"] = torch.ones(4, 2, 3, dtype=torch.bool)
    distances = dict(group_distances(Policy(), [steps], "agents", "cpu"))
    assert distances["snd_tvd"][0, 1] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "continuous"), [*POLICY_GRADIENTS, ("iql", False)])
def test_training_is_not_disturbed(algorithm, continuous, tmp_path):
    states = []
    for name, callbacks in (("with", every_callback()), ("without", [])):
        (tmp_path / name).mkdir()
        run = experiment(
            tmp_path / name, "hypermarl_mlp", algorithm, continuous=continuous, callbacks=callbacks
        )
        run.run()
        states.append(run.losses["agents"].state_dict())
    for key, value in states[0].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, states[1][key]), key


def measure_gradients(folder, model, *arguments):
    """With small steps: after large ones PPO has clipped the few samples there are."""
    callbacks = [GradientCallback(every=1, parts=2)]
    run = experiment(folder, model, *arguments, callbacks=callbacks, lr=1e-4)
    run.run()
    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "algorithm", "continuous"),
    [
        *(("nops", *one) for one in POLICY_GRADIENTS),
        *(("hypermarl_mlp", *one) for one in POLICY_GRADIENTS),
        *((variant, "ippo", True) for variant in ("linear without bias", "fups")),
    ],
)
def test_separate_parameters_cannot_conflict(variant, algorithm, continuous, tmp_path):
    bare = variant == "linear without bias"
    model = config_of("hypermarl_linear", bias=False) if bare else variant
    run = measure_gradients(tmp_path, model, algorithm, one_group, continuous)
    cosines = logged(run)["agents", "gradient_cosine"]
    torch.testing.assert_close(cosines.diagonal(), torch.ones(2))
    torch.testing.assert_close(cosines, cosines.T)
    if algorithm not in ("masac", "maddpg"):  # whose critics see everybody's actions
        assert (cosines[0, 1] == 0) == (bare or variant == "nops")
    names = {path.stem for path in run.folder_name.rglob("train_agents_gradient_*.csv")}
    expected = {"conflict", "conflict_share", "variance_coordinates", "variance_minibatches"}
    if variant != "fups":
        expected |= {"norm_generated", "norm_parameters"}
    assert names == {f"train_agents_gradient_{name}" for name in expected}


@pytest.mark.parametrize("variant", ["fups_id", "hypermarl_mlp", "hypermarl_no_gd"])
@pytest.mark.parametrize(
    ("algorithm", "continuous", "key"),
    [
        ("ippo", True, "loss_objective"),
        ("masac", True, "loss_actor"),
        ("isac", False, "loss_actor"),  # which also runs the policy without gradient
    ],
)
def test_gradients_of_the_agents_add_up_to_that_of_the_loss(
    algorithm, continuous, key, variant, tmp_path
):
    run = experiment(tmp_path, variant, algorithm, continuous=continuous)
    run.run()
    loss, batch = run.losses["agents"], run.replay_buffers["agents"].sample()
    results = []
    for gradient in (policy_gradients, mean_policy_gradient):
        torch.manual_seed(0)
        results.append(gradient(loss, batch, 2))
    assert loss.reduction == "mean"
    torch.manual_seed(0)
    parameters = list(loss.actor_network_params.parameters())
    total = torch.autograd.grad(loss(batch)[key], parameters)
    expected = torch.cat([gradient.flatten() for gradient in total])
    for mean in (results[0].parameters.mean(0), results[1]):
        torch.testing.assert_close(mean, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("algorithm", "continuous"), [("ippo", True), ("isac", False)])
def test_without_sharing_generated_weights_are_the_parameters(algorithm, continuous, tmp_path):
    """So both norms are the same; a hypernetwork's Jacobian makes them differ."""
    for model, equal in (("nops", True), ("hypermarl_mlp", False)):
        (tmp_path / model).mkdir()
        run = measure_gradients(tmp_path / model, model, algorithm, one_group, continuous)
        norms = logged(run)["agents", "gradient_norms"]
        assert norms.shape == (2, 2)
        assert (norms > 0).all()
        assert torch.allclose(norms[:, 0], norms[:, 1]) == equal


def test_generated_gradients_against_the_chain_rule(tmp_path):
    """Linear: what reaches an agent's weights reaches its row, and once more the offset."""
    run = experiment(tmp_path, "hypermarl_linear")
    run.run()
    loss, batch = run.losses["agents"], run.replay_buffers["agents"].sample()
    gradients = policy_gradients(loss, batch, 2)
    torch.testing.assert_close(
        gradients.parameters.norm(dim=-1), 2**0.5 * gradients.generated, rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("model", ["fups", "mlp"])
def test_one_network_for_all_has_no_generated_norms(model, tmp_path):
    run = measure_gradients(tmp_path, MLP if model == "mlp" else model)
    assert ("agents", "gradient_norms") not in logged(run)
    assert ("agents", "gradient_cosine") in logged(run)


def test_a_group_of_one_has_variances_alone(tmp_path):
    run = measure_gradients(tmp_path, "nops", "ippo", two_groups)
    assert ("adversary", "gradient_cosine") in logged(run)
    assert ("agent", "gradient_cosine") not in logged(run)
    names = {path.stem for path in run.folder_name.rglob("train_agent_gradient_*.csv")}
    expected = {"variance_coordinates", "variance_minibatches", "norm_generated", "norm_parameters"}
    assert names == {f"train_agent_gradient_{name}" for name in expected}


def test_gradients_are_measured_once_in_so_many_iterations(tmp_path):
    run = experiment(
        tmp_path, "fups", callbacks=[GradientCallback(every=2, parts=2)], max_n_iters=5
    )
    run.run()
    assert [entry["frames"] for entry in diagnostics(run)] == [8, 24, 40]


def test_embeddings_are_kept_at_every_evaluation(tmp_path):
    run = experiment(
        tmp_path, "hypermarl_mlp", "mappo", two_groups, callbacks=[EmbeddingCallback()]
    )
    run.run()
    entries = [entry for entry in diagnostics(run) if entry["group"] == "adversary"]
    names = ["embedding_distance", "embedding", "embedding_projection"]
    assert [entry["name"] for entry in entries] == 2 * names
    first, last = (
        {e["name"]: torch.tensor(e["matrix"]) for e in part} for part in (entries[:3], entries[3:])
    )
    table = next(
        value
        for key, value in run.losses["adversary"].actor_network_params.flatten_keys().items()
        if key.endswith("embedding.table")
    )
    torch.testing.assert_close(last["embedding"], table.detach())
    for seen in (first, last):
        a, b = seen["embedding"]
        expected = 1 - torch.cosine_similarity(a, b, dim=0)
        torch.testing.assert_close(seen["embedding_distance"][0, 1], expected)
        assert seen["embedding_projection"].shape == (2, 2)
    # Two agents differ along the line through both: movement is drawn as it is along that line.
    a, b = first["embedding"]
    moved = (last["embedding"] - first["embedding"]) @ (a - b) / (a - b).norm()
    drawn = (last["embedding_projection"] - first["embedding_projection"])[:, 0]
    torch.testing.assert_close(drawn.abs(), moved.abs(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("model", ["nops", "one hot"])
def test_policies_without_learned_embeddings_are_passed_over(model, tmp_path):
    config = config_of("hypermarl_mlp", embedding_dim=None) if model == "one hot" else model
    run = experiment(tmp_path, config, callbacks=[EmbeddingCallback()])
    run.run()
    assert not (run.folder_name / "diagnostics.jsonl").exists()


def test_callbacks_by_name():
    assert [type(callback) for callback in callbacks_named(["snd"])] == [SndCallback]
    everything = [SndCallback, GradientCallback, EmbeddingCallback, StepSizesCallback]
    assert [type(callback) for callback in callbacks_named("all")] == everything
    assert callbacks_named([]) == []
    with pytest.raises(
        ValueError,
        match="unknown callback snb; did you mean 'snd'; the known ones are snd, gradients, emb",
    ):
        callbacks_named(["snd", "snb"])


def test_the_projection_of_a_resumed_run_has_the_same_axes(tmp_path):
    settings = {"kind": ResumableExperiment, "checkpoint_interval": 8}
    run = experiment(tmp_path, "hypermarl_mlp", callbacks=[EmbeddingCallback()], **settings)
    run.run()
    (axes,) = run.callbacks[0].axes.values()
    checkpoint = run.folder_name / "checkpoints" / "checkpoint_8.pt"
    settings["restore_file"] = str(checkpoint)
    again = experiment(tmp_path, "hypermarl_mlp", callbacks=[EmbeddingCallback()], **settings)
    assert torch.equal(again.callbacks[0].axes["agents"], axes)
    again.close()


def test_scalars_are_in_the_diagnostics_too(tmp_path):
    run = train(tmp_path, "nops")
    lines = (run.folder_name / "diagnostics.jsonl").read_text(encoding="utf-8").splitlines()
    scalars = [entry for entry in map(json.loads, lines) if "value" in entry]
    csv = next(run.folder_name.rglob("eval_agents_snd.csv")).read_text(encoding="utf-8").split()
    snd = [entry["value"] for entry in scalars if entry["name"] == "snd"]
    assert snd == [float(line.split(",")[1]) for line in csv]
