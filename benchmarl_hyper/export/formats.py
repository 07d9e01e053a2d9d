"""File formats of exported agents, with one function per format."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarl_hyper.export.action_rules import ActingAgent

Agents = Mapping[str, ActingAgent]  # those of one group, by name; they differ only in their numbers


def write_safetensors(folder: Path, agents: Agents) -> None:
    """Write each network's weights as ``<layer>.weight`` ``[out, in]`` and ``<layer>.bias``."""
    from safetensors.torch import save_file

    for name, agent in agents.items():
        save_file(agent.network.state_dict(), folder / f"{name}.safetensors")


def write_pt2(folder: Path, agents: Agents) -> None:
    """Write programs for ``torch.export.load``.

    They map observations (and a mask) to outputs and actions.
    """
    for name, program in _programs(agents):
        with _upstream_warnings():
            torch.export.save(program, folder / f"{name}.pt2")


def write_onnx(folder: Path, agents: Agents) -> None:
    """Write the programs of :func:`write_pt2` for ONNX runtimes, with named inputs and outputs."""
    model: Any = None
    for name, program in _programs(agents):
        if model is None:
            names = ["observation", "mask"][: len(program.example_inputs[0])]
            with _upstream_warnings():
                # Not optimised: an optimiser may fold in numbers of the first agent.
                model = torch.onnx.export(
                    program,
                    input_names=names,
                    output_names=["output", "action"],
                    optimize=False,
                    verbose=False,
                )
        model.apply_weights({key: x.clone() for key, x in program.state_dict.items()})
        model.save(folder / f"{name}.onnx")


WRITERS: dict[str, Callable[[Path, Agents], None]] = {
    "pt2": write_pt2,
    "safetensors": write_safetensors,
    "onnx": write_onnx,
}


def _programs(agents: Agents) -> Iterator[tuple[str, torch.export.ExportedProgram]]:
    """Yield each agent's name and program, which is traced once and filled with its numbers."""
    template = copy.deepcopy(next(iter(agents.values()))).eval()
    weights = [p for p in template.network.parameters() if p.ndim == 2]  # [out, in]
    example: tuple[Tensor, ...] = (torch.zeros(2, weights[0].shape[1]),)
    if template.rule.masked:
        example += (torch.ones(2, weights[-1].shape[0], dtype=torch.bool),)
    batch = torch.export.Dim("batch")
    with _upstream_warnings():
        program = torch.export.export(template, example, dynamic_shapes=[{0: batch}] * len(example))
    for name, agent in agents.items():
        with torch.no_grad():
            for key, value in agent.state_dict().items():
                program.state_dict[key].copy_(value)
        yield name, program


@contextmanager
def _upstream_warnings() -> Iterator[None]:
    """Ignore the warnings of torch's exporters about their own use of torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
