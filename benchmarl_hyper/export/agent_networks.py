"""Each agent's own network, extracted from the model that generates it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from benchmarl.models import Mlp
from benchmarl.models.common import Model
from tensordict import TensorDictBase
from tensordict.nn import TensorDictParams
from torch import Tensor, nn

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.models.common.recurrent import Recurrent
from benchmarl_hyper.models.nops import Nops

PREFIX = "mlp.params."  # of the parameters' names in the state dict of BenchMARL's Mlp


@torch.no_grad()
def agent_networks(model: Model) -> list[nn.Sequential]:
    """Return a plain copy of each agent's network, in the order of the agents.

    Args:
        model: a decentralised model of ours, except recurrent ones, ``dico``, and those whose
            weights depend on observations; or BenchMARL's ``mlp`` without normalisation, shared or
            not.

    Returns:
        ``n_agents`` stacks of ``Linear`` layers with activations between them. They share no
        parameters with each other or with the model. Their input is the model's inputs,
        concatenated.

    Raises:
        ValueError: for any other model.
    """
    parameters = _copy(agent_parameters(model))
    activation = _activation(model)
    return [_network(parameters[i], activation) for i in range(model.n_agents)]


@torch.no_grad()
def mlp_state_dict(model: Model) -> dict[str, Any]:
    """Return the networks of :func:`agent_networks` as the state dict of a BenchMARL ``Mlp``.

    The state dict is that of an ``Mlp`` with ``share_params=False``.

    Raises:
        ValueError: for the same models as :func:`agent_networks`.
    """
    own = TensorDictParams(_copy(agent_parameters(model)), no_convert=True)
    return {PREFIX + key: value for key, value in own.state_dict().items()}


@torch.no_grad()
def load_networks(model: Model, state: Mapping[str, Any]) -> None:
    """Load networks from :func:`mlp_state_dict` into a model without parameter sharing, in place.

    Args:
        model: our ``nops``, or BenchMARL's ``mlp`` with ``share_params=False``.
        state: state dict for as many agents and the same sizes.

    Raises:
        ValueError: if the model shares parameters, or if the sizes differ.
    """
    what = f"policy of group '{model.agent_group}'"
    if not isinstance(model, Nops) and (not isinstance(model, Mlp) or model.share_params):
        raise ValueError(
            f"{what} is a {type(model).__name__} that shares parameters, so it cannot hold a "
            "network per agent; use variant=nops, or BenchMARL's mlp with "
            "experiment.share_policy_params=False"
        )
    has, given = _shapes(mlp_state_dict(model)), _shapes(state)
    if has != given:
        raise ValueError(
            f"{what} has parameters {has}, but the exported ones are {given}; use as many agents "
            "and the same sizes"
        )
    if isinstance(model, Mlp):
        model.load_state_dict(state)
        return
    table: Any = model.generator
    for i, rows in enumerate(table):
        rows.weight.copy_(state[f"{PREFIX}{2 * i}.weight"].mT)
        rows.bias.copy_(state[f"{PREFIX}{2 * i}.bias"])


def agent_parameters(model: Model) -> TensorDictBase:
    """Return each agent's weights, ``[n_agents]``, in the layout of BenchMARL's unshared ``mlp``.

    Raises:
        ValueError: if the model is not one plain network per agent.
    """
    if model.input_has_agent_dim and not model.centralised:
        if isinstance(model, GeneratedMlp) and not isinstance(model, Recurrent):
            return model.agent_parameters().detach()
        if _is_plain(model):
            params = model.mlp.params.data
            return params.expand(model.n_agents) if model.share_params else params
    raise ValueError(
        f"model of group '{model.agent_group}' is a {type(model).__name__}, which is not one plain "
        "network per agent. Only decentralised policies can be exported: those of "
        "benchmarl_hyper's models, except recurrent ones, dico, cash and hypermarl_no_gd, and "
        "those of BenchMARL's mlp without normalisation"
    )


def _copy(parameters: TensorDictBase) -> Any:
    return parameters.apply(lambda x: x.cpu().clone(memory_format=torch.contiguous_format))


def _is_plain(model: Model) -> bool:
    if not isinstance(model, Mlp):
        return False
    layers = list(_skeleton(model))
    kinds = {type(layer) for layer in layers[1::2]}
    return all(type(layer) is nn.Linear for layer in layers[::2]) and (
        len(kinds) <= 1 and not any(list(layer.parameters()) for layer in layers[1::2])
    )


def _skeleton(model: Mlp) -> Iterable[nn.Module]:
    return model.mlp._empty_net  # torchrl has no public name for it


def _activation(model: Model) -> nn.Module:
    if isinstance(model, GeneratedMlp):
        return model.activation
    return next(iter(list(_skeleton(model))[1::2]), nn.Identity())


def _network(parameters: TensorDictBase, activation: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in sorted(parameters.keys(), key=int):
        out_features, in_features = parameters[index, "weight"].shape
        linear = nn.Linear(in_features, out_features, device="meta")
        linear.load_state_dict(parameters[index].to_dict(), assign=True)
        layers += [linear, copy.deepcopy(activation)]
    return nn.Sequential(*layers[:-1])


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(x.shape) for key, x in state.items() if isinstance(x, Tensor)}
