import json

import pytest
import torch
from benchmarl.models import GruConfig, MlpConfig
from experiments import experiment, one_group, two_groups
from tensordict import TensorDict
from torch import nn

from benchmarl_hyper.callbacks import (
    SndCallback,
    _everyone_on_everything,
    callbacks_named,
    group_distances,
)
from benchmarl_hyper.tasks import SmaxTask

MLP = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)


def diagnostics(run):
    with open(run.folder_name / "diagnostics.jsonl") as file:
        return [json.loads(line) for line in file]


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
    out = _everyone_on_everything(policy, steps, "agents")
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


@pytest.mark.parametrize(
    ("algorithm", "continuous", "names"),
    [
        ("ippo", True, {"snd", "snd_loc"}),
        ("mappo", False, {"snd_js", "snd_tvd"}),
        ("masac", True, {"snd", "snd_loc"}),
        ("iddpg", True, {"snd_loc"}),
        ("iql", False, {"snd_js", "snd_tvd"}),
    ],
)
@pytest.mark.parametrize("model", ["fups", "nops", "shared mlp", "unshared mlp"])
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
    last = float(file.read_text().splitlines()[-1].split(",")[1])
    assert last == pytest.approx(matrices["adversary", "snd"][0, 1].item(), rel=1e-5)


def test_every_evaluation_is_kept(tmp_path):
    run = train(tmp_path, "nops")
    assert [d["frames"] for d in diagnostics(run)] == [8, 8, 16, 16]


def test_recurrent_policies(tmp_path):
    gru = GruConfig.get_from_yaml()
    assert logged(train(tmp_path, gru))["agents", "snd"].max() < 1e-3


def test_action_masks_go_with_the_observation():
    """Two agents whose logits differ only in an action that nobody may choose."""

    class Policy:
        in_keys = (("agents", "observation"), ("agents", "action_mask"))

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


@pytest.mark.skipif(not SmaxTask["2S3Z"].associated_class().installed(), reason="needs jaxmarl")
@pytest.mark.filterwarnings("ignore:No episode terminated this iteration")
def test_masked_policies_of_a_real_task(tmp_path):
    run = train(tmp_path, "nops", "ippo", SmaxTask["2S3Z"].get_task)
    assert 0 < logged(run)["agents", "snd_js"].max() <= 1


@pytest.mark.parametrize("algorithm", ["ippo", "masac", "iql"])
def test_training_is_not_disturbed(algorithm, tmp_path):
    states = []
    for name, callbacks in (("with", [SndCallback()]), ("without", [])):
        (tmp_path / name).mkdir()
        continuous = algorithm != "iql"
        run = experiment(
            tmp_path / name, "hypermarl_mlp", algorithm, continuous=continuous, callbacks=callbacks
        )
        run.run()
        states.append(run.losses["agents"].state_dict())
    for key, value in states[0].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, states[1][key]), key


def test_callbacks_by_name():
    assert [type(callback) for callback in callbacks_named(["snd"])] == [SndCallback]
    assert [type(callback) for callback in callbacks_named("all")] == [SndCallback]
    assert callbacks_named([]) == []
    with pytest.raises(ValueError, match="unknown callback snb; the known ones are snd"):
        callbacks_named(["snd", "snb"])
