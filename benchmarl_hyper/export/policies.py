"""Take policies out of a run: ``python -m benchmarl_hyper.export CHECKPOINT DIR``.

Every agent's own network is written to ``DIR/<group>/<agent>.<format>``, described by
``DIR/<group>/<agent>.json``; ``DIR/<group>/mlp.pt`` has the networks of a group as BenchMARL's
``mlp`` holds them, from which :func:`load_policies` starts a run without parameter sharing. The run
is only read, and nothing is overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarl.experiment import Experiment
from benchmarl.models.common import Model
from torch import nn

from benchmarl_hyper.export.action_rules import ActingAgent, ActionRule, action_rule
from benchmarl_hyper.export.agent_networks import agent_networks, load_networks, mlp_state_dict
from benchmarl_hyper.export.formats import WRITERS, missing_packages
from benchmarl_hyper.running.checkpoints import reopened
from benchmarl_hyper.running.experiment_parts import policy_model, policy_name, refresh_collector

MEANING = {
    "param": "the action before its rule",
    "logits": "unnormalised log-probabilities of the actions",
    "action_value": "values of the actions",
}


def export(
    checkpoint: str | Path, folder: str | Path, formats: Sequence[str] | None = None
) -> list[Path]:
    """Write the policies of all groups.

    Args:
        checkpoint: a file that BenchMARL wrote; its run is not changed.
        folder: new, or empty.
        formats: of ``pt2``, ``safetensors`` and ``onnx``; None for those whose packages there are.

    Returns:
        The files.

    Raises:
        FileExistsError: if the folder is not empty.
        FileNotFoundError: if there is no such checkpoint, or no settings of its run.
        ValueError: for a file that is not a checkpoint, a policy that is not one plain network per
            agent, an unknown format, and one whose package is missing.
    """
    checkpoint, folder = Path(checkpoint), Path(folder)
    formats = _checked(formats)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not an empty folder; name a new one")
    with reopened(checkpoint) as run:
        exports = {group: _Group(run, group) for group in run.group_map}
        for group, exported in exports.items():
            exported.write(folder / group, formats)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def load_policies(experiment: Experiment, folder: str | Path) -> None:
    """Let a new experiment without parameter sharing act as the exported policies do, in place.

    Critics keep their fresh initialisation; target networks of the policies follow.

    Args:
        experiment: on the same task, with our ``nops`` or BenchMARL's ``mlp`` and
            ``share_policy_params=False`` as policy, of the same sizes and activation.
        folder: that :func:`export` wrote.

    Raises:
        ValueError: for a policy that cannot hold the networks.
    """
    for group, loss in experiment.losses.items():
        state = torch.load(Path(folder) / group / "mlp.pt")
        model = policy_model(experiment.algorithm.get_policy_for_loss(group))
        load_networks(model, state)
        parts, name = dict(loss.named_children()), policy_name(loss)
        if f"target_{name}" in parts:
            parts[f"target_{name}"].data.update_(parts[name].data)
    refresh_collector(experiment)


class _Group:
    """What is written of one group; making it checks that all of it can be."""

    def __init__(self, run: Experiment, group: str):
        policy = run.algorithm.get_policy_for_loss(group)
        self.group, self.model = group, policy_model(policy)
        networks = agent_networks(self.model)
        rule = action_rule(policy, run.algorithm.action_spec[group, "action"])
        self.agents = {
            name: ActingAgent(network, rule.of_agent(i))
            for i, (name, network) in enumerate(zip(run.group_map[group], networks, strict=True))
        }
        self.scale_mapping = getattr(run.algorithm, "scale_mapping", None)
        self.activation_kwargs = run.model_config.activation_kwargs or {}

    def write(self, folder: Path, formats: Sequence[str]) -> None:
        folder.mkdir(parents=True)
        torch.save(mlp_state_dict(self.model), folder / "mlp.pt")
        for name, agent in self.agents.items():
            text = json.dumps(self.description(name, agent), indent=2)
            (folder / f"{name}.json").write_text(text + "\n")
        for name in formats:
            WRITERS[name](folder, self.agents)

    def description(self, name: str, agent: ActingAgent) -> dict[str, Any]:
        """Everything needed to rebuild the agent from its weights."""
        activations = list(agent.network)[1::2]
        kind = type(activations[0]) if activations else nn.Identity
        return {
            "group": self.group,
            "agent": name,
            "index": list(self.agents).index(name),
            "observation": _observation(self.model),
            "shapes": {key: list(x.shape) for key, x in agent.network.state_dict().items()},
            "activation": f"{kind.__module__}.{kind.__qualname__}",
            "activation_kwargs": self.activation_kwargs,
            "output": _output(self.model, agent.rule, self.scale_mapping),
            "action": agent.rule.description(),
        }


def _observation(model: Model) -> list[dict[str, Any]]:
    """What is flattened and joined, in this order; shapes are one agent's."""
    return [
        {"key": list(key) if isinstance(key, tuple) else [key], "shape": list(spec.shape[1:])}
        for key, spec in ((key, model.input_spec[key]) for key in model.in_keys)
    ]


def _output(model: Model, rule: ActionRule, scale_mapping: str | None) -> dict[str, Any]:
    key, size = model.out_key[-1], model.output_leaf_spec.shape[-1]
    if key == "logits" and rule.low is not None:
        return {
            "meaning": "loc, then scale before its mapping, of a normal distribution",
            "size": size,
            "scale_mapping": scale_mapping,
            "scale_min": 1e-4,
        }
    return {"meaning": MEANING[key], "size": size}


def _checked(formats: Sequence[str] | None) -> list[str]:
    if formats is None:
        return [name for name in WRITERS if not missing_packages(name)]
    for name in formats:
        if name not in WRITERS:
            raise ValueError(f"unknown format '{name}'; the known ones are {', '.join(WRITERS)}")
        if missing := missing_packages(name):
            raise ValueError(
                f"format '{name}' needs {' and '.join(missing)}; pip install "
                "'benchmarl-hyper[export]'"
            )
    return list(formats)
