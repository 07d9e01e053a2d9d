"""Extract policies from a run: ``python -m benchmarl_hyper.export CHECKPOINT DIR``.

Each agent's own network is written to ``DIR/<group>/<agent>.<format>`` and described in
``DIR/<group>/<agent>.json``. ``DIR/<group>/mlp.pt`` holds the networks of a group in the layout of
BenchMARL's ``mlp``; with it, :func:`load_policies` starts a run without parameter sharing. The run
is only read, and nothing is overwritten.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from benchmarl.experiment import Experiment
from benchmarl.models.common import Model
from torch import nn

from benchmarl_hyper.export.action_rules import ActingAgent, ActionRule, action_rule
from benchmarl_hyper.export.agent_networks import agent_networks, load_networks, mlp_state_dict
from benchmarl_hyper.export.formats import WRITERS
from benchmarl_hyper.export.packages import missing_packages
from benchmarl_hyper.running.checkpoints import loaded, reopened
from benchmarl_hyper.running.experiment_parts import policy_model, policy_name, refresh_collector
from benchmarl_hyper.terminal import nearest

MEANING = {
    "param": "the action before its rule",
    "logits": "unnormalised log-probabilities of the actions",
    "action_value": "values of the actions",
}


def export(
    checkpoint: str | Path,
    folder: str | Path,
    formats: Sequence[str] | None = None,
    trust: bool = False,
) -> list[Path]:
    """Write the policies of all groups to files: all of them, or, after an error, none.

    Args:
        checkpoint: a checkpoint that BenchMARL wrote; its run is not changed.
        folder: a new or empty folder.
        formats: any of ``pt2``, ``safetensors`` and ``onnx``; None for all formats whose packages
            are installed.
        trust: whether to read files of the run that can run any code. Runs of our runner need no
            trust; see :func:`~benchmarl_hyper.running.saved_settings.settings_of`.

    Returns:
        The files that were written.

    Raises:
        FileExistsError: if the folder is not empty.
        FileNotFoundError: if the checkpoint, or the file with the settings of its run, is missing.
        ValueError: if the file is not a checkpoint, if reading it needs trust, if a policy is not
            one plain network per agent, if a format is unknown, or if a package that it needs is
            missing.
    """
    checkpoint, folder = Path(checkpoint), Path(folder)
    formats = _checked(formats)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not an empty folder; name a new one")
    with reopened(checkpoint, trust) as run:
        exports = {group: _Group(run, group) for group in run.group_map}
        with _filled(folder) as part:
            for group, exported in exports.items():
                exported.write(part / group, formats)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def load_policies(experiment: Experiment, folder: str | Path) -> None:
    """Let a new experiment without parameter sharing act as the exported policies do, in place.

    Critics keep their new initialisation. Target networks of the policies are set as well.

    Args:
        experiment: an experiment on the same task. Its policy is our ``nops``, or BenchMARL's
            ``mlp`` with ``share_policy_params=False``, with the same sizes and activation.
        folder: a folder that :func:`export` wrote.

    Raises:
        FileNotFoundError: if the folder has no networks of a group.
        ValueError: if a file cannot be read, or if a policy cannot hold the networks.
    """
    states = {group: _networks(Path(folder) / group / "mlp.pt") for group in experiment.losses}
    for group, loss in experiment.losses.items():
        model = policy_model(experiment.algorithm.get_policy_for_loss(group))
        load_networks(model, states[group])
        parts, name = dict(loss.named_children()), policy_name(loss)
        if f"target_{name}" in parts:
            parts[f"target_{name}"].data.update_(parts[name].data)
    refresh_collector(experiment)


def _networks(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no file {file}; give a folder that benchmarl_hyper.export wrote, from a run "
            "on the same task"
        )
    try:
        return loaded(file, mmap=False)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{file} is not a file of benchmarl_hyper.export: torch cannot load it as tensors alone"
        ) from error


@contextmanager
def _filled(folder: Path) -> Iterator[Path]:
    """Yield a new folder, whose entries are in ``folder`` after the block, unless it fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        part = Path(temporary, "new")
        part.mkdir()
        yield part
        if not folder.exists():
            part.rename(folder)
            return
        for path in part.iterdir():
            path.rename(folder / path.name)


class _Group:
    """What is exported for one group; the constructor checks that all of it can be written."""

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
            (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        for name in formats:
            WRITERS[name](folder, self.agents)

    def description(self, name: str, agent: ActingAgent) -> dict[str, Any]:
        """Return everything that is needed to rebuild the agent from its weights."""
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
    """Return what is flattened and joined, in this order; shapes are those of one agent."""
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
    if key not in MEANING:
        raise ValueError(
            f"no action is known for a policy whose model puts out '{key}'; the known outputs are "
            f"{', '.join(MEANING)}"
        )
    return {"meaning": MEANING[key], "size": size}


def _checked(formats: Sequence[str] | None) -> list[str]:
    if formats is None:
        return [name for name in WRITERS if not missing_packages(name)]
    for name in formats:
        if name not in WRITERS:
            raise ValueError(
                f"unknown format '{name}'{nearest(name, WRITERS)}; the known ones are "
                f"{', '.join(WRITERS)}"
            )
        if missing := missing_packages(name):
            raise ValueError(
                f"format '{name}' needs {' and '.join(missing)}; run: pip install "
                "'benchmarl-hyper[export]'"
            )
    return list(formats)
