import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from benchmarl.models import GruConfig, MlpConfig
from support.benchmarl_requests import MODELS
from support.experiments import experiment, one_group, two_groups
from support.extras import imported, needs
from support.nearness import assert_near
from support.run_folders import checkpoint_in, contents
from support.tiny_task import tiny_task
from torch import nn
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper.export import formats, packages, policies
from benchmarl_hyper.export.__main__ import main
from benchmarl_hyper.export.action_rules import ActingAgent, ActionRule
from benchmarl_hyper.export.policies import export, load_policies
from benchmarl_hyper.running.experiment_parts import policy_model, policy_name

pytestmark = needs("export")
onnxruntime = imported("onnxruntime", "test")
load_file = imported("safetensors.torch", "export").load_file

EXAMPLE = Path(__file__).parents[2] / "examples" / "run_exported.py"
NOT_NEEDED = ["benchmarl", "benchmarl_hyper", "torchrl", "tensordict"]


def trained(folder, model, algorithm="ippo", task=one_group, continuous=True, **changes):
    run = experiment(
        folder, model, algorithm, task, continuous, checkpoint_at_end=True, lr=1e-3, **changes
    )
    run.run()
    return run


def mlp(**changes):
    values = {"num_cells": [8, 8], "layer_class": nn.Linear, "activation_class": nn.Tanh}
    return MlpConfig(**{**values, **changes})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs"), "hypermarl_mlp", task=two_groups)


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "new"
    before = contents(run.folder_name)
    export(checkpoint_in(run.folder_name), folder, trust=True)
    assert contents(run.folder_name) == before
    return folder


def evaluated(run, batch=16):
    """Observations, raw outputs and actions in evaluation, of every agent."""
    for group, names in run.group_map.items():
        model = policy_model(run.algorithm.get_policy_for_loss(group))
        key = model.in_keys[0]
        observation = torch.randn(batch, *model.input_spec[key].shape)
        steps = run.test_env.fake_tensordict()[:1].expand(batch).clone()
        for other in run.group_map:
            shape = steps[other, "observation"].shape
            steps[other, "observation"] = torch.randn(shape)
        steps[key] = observation
        with set_exploration_type(ExplorationType.DETERMINISTIC), torch.no_grad():
            out = run.policy(steps)[group]
        for i, name in enumerate(names):
            yield group, name, observation[:, i], out[model.out_key[-1]][:, i], out["action"][:, i]


def test_every_agent_has_its_files(run, folder):
    kinds = ["json", "onnx", "pt2", "safetensors"]
    expected = {
        *(f"{group}/mlp.pt" for group in run.group_map),
        *(
            f"{g}/{name}.{kind}"
            for g, names in run.group_map.items()
            for name in names
            for kind in kinds
        ),
    }
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == expected


def test_programs_act_as_the_policy(run, folder):
    for group, name, observation, output, action in evaluated(run):
        program = torch.export.load(folder / group / f"{name}.pt2").module()
        for batch in (16, 1):
            for given, expected in zip(program(observation[:batch]), (output, action), strict=True):
                assert_near(given, expected[:batch])


def test_onnx_acts_as_the_policy(run, folder):
    for group, name, observation, output, action in evaluated(run):
        session = onnxruntime.InferenceSession(folder / group / f"{name}.onnx")
        for batch in (16, 1):
            given = session.run(["output", "action"], {"observation": observation[:batch].numpy()})
            for x, expected in zip(given, (output, action), strict=True):
                assert_near(torch.from_numpy(x), expected[:batch])


def test_weights_and_description_are_enough(run, folder):
    for group, name, observation, output, action in evaluated(run):
        about = json.loads((folder / group / f"{name}.json").read_text(encoding="utf-8"))
        weights = load_file(folder / group / f"{name}.safetensors")
        assert {key: list(x.shape) for key, x in weights.items()} == about["shapes"]
        module, kind = about["activation"].rsplit(".", 1)
        activation = getattr(importlib.import_module(module), kind)(**about["activation_kwargs"])
        x, last = observation, max(int(key.split(".")[0]) for key in weights)
        for layer in range(0, last + 1, 2):
            x = x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
            x = activation(x) if layer < last else x
        assert_near(x, output)
        rule = {key: torch.tensor(v) for key, v in about["action"].items() if key != "rule"}
        centre, scale = (rule["high"] + rule["low"]) / 2, (rule["high"] - rule["low"]) / 2
        assert about["action"]["rule"] == "tanh"
        loc = x[:, : len(centre)]
        assert_near(scale * torch.tanh(loc + rule["shift"]) + centre, action, 2e-6)


def test_the_description_names_everything(run, folder):
    about = json.loads((folder / "adversary" / "adversary_1.json").read_text(encoding="utf-8"))
    assert (about["group"], about["agent"], about["index"]) == ("adversary", "adversary_1", 1)
    size = run.observation_spec["adversary", "observation"].shape[-1]
    assert about["observation"] == [{"key": ["adversary", "observation"], "shape": [size]}]
    assert about["output"] == {
        "meaning": "loc, then scale before its mapping, of a normal distribution",
        "size": 4,
        "scale_mapping": "biased_softplus_1.0",
        "scale_min": 1e-4,
    }


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "runtime"), [("pt2", "torch"), ("onnx", "onnxruntime")])
def test_agents_run_without_the_packages_that_trained_them(run, folder, kind, runtime):
    blocked = [*NOT_NEEDED, "torch"] if runtime == "onnxruntime" else [*NOT_NEEDED, "onnxruntime"]
    group, name, observation, _, action = next(evaluated(run))
    code = (
        f"import sys, runpy; sys.modules.update(dict.fromkeys({blocked}))\n"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    )
    file = folder / group / f"{name}.{kind}"
    command = [sys.executable, "-c", code, EXAMPLE, file, json.dumps(observation.tolist())]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["agent"] == name
    assert_near(torch.tensor(printed["action"]), action)


@pytest.mark.parametrize("algorithm", ["ippo", "iql"])
def test_discrete_actions_of_benchmarls_own_network(algorithm, tmp_path):
    run = trained(tmp_path, mlp(), algorithm, tiny_task, continuous=False)
    main([str(checkpoint_in(run.folder_name)), str(tmp_path / "out"), "--format", "pt2", "--trust"])
    meaning = {"ippo": "unnormalised log-probabilities", "iql": "values"}[algorithm]
    for group, name, observation, output, action in evaluated(run):
        program = torch.export.load(tmp_path / "out" / group / f"{name}.pt2").module()
        given = program(observation)
        assert_near(given[0], output)
        assert torch.equal(given[1], action)
        about = json.loads((tmp_path / "out" / group / f"{name}.json").read_text(encoding="utf-8"))
        assert about["action"] == {"rule": "argmax", "masked": False}
        assert about["output"] == {"meaning": f"{meaning} of the actions", "size": 3}


@pytest.mark.slow
@pytest.mark.parametrize("variant", MODELS)
def test_every_variant_is_exported(variant, tmp_path):
    run = trained(tmp_path, variant, task=tiny_task, max_n_iters=1)
    export(checkpoint_in(run.folder_name), tmp_path / "out", [], trust=True)
    state = torch.load(tmp_path / "out" / "agents" / "mlp.pt")
    (model,) = [policy_model(run.algorithm.get_policy_for_loss("agents"))]
    for key, x in model.agent_parameters().items(True, True):
        assert torch.equal(state[".".join(("mlp.params", *key))], x)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pt2", "onnx"])
def test_masks_and_the_bounds_of_each_agent_are_kept(kind, tmp_path):
    low, high = torch.tensor([[-1.0], [2.0]]), torch.tensor([[1.0], [5.0]])
    shift = torch.tensor([[0.0], [3.5]])
    tanh, masked = ActionRule("tanh", low, high, shift), ActionRule("argmax", masked=True)
    observation, mask = torch.randn(8, 3), torch.rand(8, 4) < 0.5
    mask[:, 0] = True
    for rule, inputs in ((tanh, [observation]), (masked, [observation, mask])):
        networks = [nn.Sequential(nn.Linear(3, 4)) for _ in range(2)]
        agents = {f"a{i}": ActingAgent(net, rule.of_agent(i)) for i, net in enumerate(networks)}
        formats.WRITERS[kind](tmp_path, agents)
        for name, agent in agents.items():
            file = tmp_path / f"{name}.{kind}"
            if kind == "pt2":
                _, action = torch.export.load(file).module()(*inputs)
            else:
                names = dict(zip(["observation", "mask"], inputs, strict=False))
                session = onnxruntime.InferenceSession(file)
                _, action = session.run(None, {key: x.numpy() for key, x in names.items()})
            assert_near(torch.as_tensor(action).float(), agent(*inputs)[1].detach().float())


# --- Training on without sharing


@pytest.mark.parametrize("model", ["nops", "mlp"])
def test_an_experiment_without_sharing_goes_on(model, run, folder, tmp_path):
    config = mlp() if model == "mlp" else model
    new = experiment(tmp_path, config, task=two_groups, share_policy_params=False, lr=1e-3)
    load_policies(new, folder)
    torch.manual_seed(1)
    expected = list(evaluated(run))
    torch.manual_seed(1)
    for given, known in zip(evaluated(new), expected, strict=True):
        assert torch.equal(given[2], known[2])
        assert_near(given[3], known[3])
        assert_near(given[4], known[4], 2e-6)
    before = [parameter.clone() for parameter in new.policy.parameters()]
    new.run()
    assert not any(map(torch.equal, before, new.policy.parameters()))


@pytest.mark.parametrize("algorithm", ["iql", "qmix"])
def test_targets_of_a_policy_follow(algorithm, tmp_path):
    run = trained(tmp_path, "hypermarl_mlp", algorithm, tiny_task, continuous=False)
    export(checkpoint_in(run.folder_name), tmp_path / "out", [], trust=True)
    new = experiment(tmp_path, "nops", algorithm, tiny_task, continuous=False)
    load_policies(new, tmp_path / "out")
    loss = new.losses["agents"]
    name = policy_name(loss)
    targets = getattr(loss, f"target_{name}")
    for key, x in getattr(loss, name).data.items(True, True):
        assert torch.equal(x, targets[key])


def test_an_experiment_that_shares_cannot_go_on(folder, tmp_path):
    with pytest.raises(ValueError, match="is a Fups that shares parameters"):
        load_policies(experiment(tmp_path, "fups", task=two_groups), folder)


# --- What cannot be exported


def test_recurrent_policies_are_refused_before_anything_is_written(tmp_path):
    run = trained(tmp_path, GruConfig.get_from_yaml(), task=tiny_task)
    with pytest.raises(ValueError, match="group 'agents' is a Gru, which is not one plain network"):
        export(checkpoint_in(run.folder_name), tmp_path / "out", trust=True)
    assert not (tmp_path / "out").exists()


def test_outputs_of_ones_own_are_refused():
    """Modules between the network and the distribution are not exported."""
    model = SimpleNamespace(out_key=("agents", "mu"), output_leaf_spec=torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"a policy whose model puts out 'mu'; the known outputs"):
        policies._output(model, ActionRule("argmax"), None)


def test_folders_are_not_overwritten(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for taken in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(FileExistsError, match="is not an empty folder; name a new one"):
            export(checkpoint_in(run.folder_name), taken, trust=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_every_format_has_its_packages():
    assert list(packages.PACKAGES) == list(formats.WRITERS)


def test_formats_are_checked(run, tmp_path, monkeypatch):
    checkpoint = checkpoint_in(run.folder_name)
    with pytest.raises(
        ValueError, match="unknown format 'onyx'; did you mean 'onnx'; the known ones are pt2, saf"
    ):
        export(checkpoint, tmp_path / "out", ["onyx"])
    monkeypatch.setattr(packages, "find_spec", lambda package: None)
    with pytest.raises(
        ValueError, match=r"'onnx' needs onnx and onnxscript; run: pip install .*export"
    ):
        export(checkpoint, tmp_path / "out", ["onnx"])


def test_the_command_says_what_it_wrote_and_left_out(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(packages, "find_spec", lambda package: None)
    main([str(checkpoint_in(run.folder_name)), str(tmp_path / "out"), "--trust"])
    *files, last = capsys.readouterr().out.strip().splitlines()
    written = [line for line in files if line.startswith(str(tmp_path))]
    assert len(written) == 2 + 2 * 3  # a file per group, two per agent
    assert last == (
        "skipped safetensors, onnx, because packages are missing; run: "
        "pip install 'benchmarl-hyper[export]'"
    )


@pytest.mark.parametrize(
    ("checkpoint", "reason"),
    [
        ("none.pt", r"there is no file .*none.pt"),
        (".", r"there is no file .*; give the path of a checkpoint_<frames>.pt"),
        ("run", r"is not in the folder of a run of .* use --trust .*can run any code"),
    ],
)
def test_the_command_explains_errors(checkpoint, reason, run, tmp_path):
    path = checkpoint_in(run.folder_name) if checkpoint == "run" else tmp_path / checkpoint
    with pytest.raises(SystemExit, match=rf"^error: .*{reason}") as caught:
        main([str(path), str(tmp_path / "out")])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_package_of_the_task_is_explained(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ImportError("No module named 'pettingzoo'")

    monkeypatch.setattr(policies, "reopened", fail)
    with pytest.raises(SystemExit, match="error: No module named 'pettingzoo'"):
        main([str(tmp_path / "none.pt"), str(tmp_path / "out")])


def test_the_help_says_what_trust_means(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "pickles and can run any code" in " ".join(capsys.readouterr().out.split())


def test_a_failed_export_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(folder, agents):
        (folder / "half").touch()
        raise OSError("disk full")

    monkeypatch.setitem(formats.WRITERS, "pt2", fail)
    with pytest.raises(OSError, match="disk full"):
        export(checkpoint_in(run.folder_name), tmp_path / "out", ["pt2"], trust=True)
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_filled(run, tmp_path):
    inode = tmp_path.stat().st_ino
    files = export(checkpoint_in(run.folder_name), tmp_path, [], trust=True)
    assert {path.name for path in tmp_path.iterdir()} == set(run.group_map)
    assert all(path.is_file() for path in files)
    assert tmp_path.stat().st_ino == inode  # somebody may be in it


def test_only_exported_networks_are_loaded(folder, tmp_path):
    new = experiment(tmp_path, "nops", task=two_groups, lr=1e-3)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*mlp.pt; give a folder that"):
        load_policies(new, tmp_path)
    (tmp_path / "adversary").mkdir()
    (tmp_path / "adversary" / "mlp.pt").write_text("text", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mlp.pt is not a file of benchmarl_hyper.export"):
        load_policies(new, tmp_path)
