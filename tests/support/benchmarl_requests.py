"""What BenchMARL asks of a model: the specs its algorithms build, without an experiment."""

import torch
from tensordict import TensorDict
from torchrl.data import Composite, Unbounded

from benchmarl_hyper import GeneratedMlp
from benchmarl_hyper.models.common.recurrent import RecurrentConfig
from benchmarl_hyper.models.hypermarl import ablations
from benchmarl_hyper.registry import CONFIGS

ALL_MODELS = {config.model_name(): config for config in CONFIGS}
RECURRENT = {name: c for name, c in ALL_MODELS.items() if issubclass(c, RecurrentConfig)}
ABLATIONS = {name: c for name, c in ALL_MODELS.items() if c.__module__ == ablations.__name__}
PER_SAMPLE = {"cash"}  # read capabilities, which models of a global state do not have
# One plain network per agent, as policy and as critic
MODELS = {
    name: config
    for name, config in ALL_MODELS.items()
    if issubclass(config.associated_class(), GeneratedMlp)
    and name not in RECURRENT.keys() | ABLATIONS.keys() | PER_SAMPLE
}


def config_of(variant, **changes):
    """The shipped config of a variant with small networks."""
    values = {"num_cells": [8, 8]}
    if variant in RECURRENT:
        values |= {"encoder_cells": [7], "hidden_size": 6}
    shipped = ALL_MODELS[variant].get_from_yaml()
    return type(shipped)(**{**shipped.__dict__, **values, **changes})


def all_trained(variant):
    """The config of a variant, with values that leave no layer without a gradient."""
    return config_of(variant, **({"bias_scale": 0.2} if variant == "cash" else {}))


def policy(config, n_agents=3, n_features=5, n_outputs=2, **changes):
    """A decentralised policy."""
    return config.get_model(
        **{
            "input_spec": group_spec(n_agents, observation=n_features),
            "output_spec": group_spec(n_agents, logits=n_outputs),
            "agent_group": "agents",
            "input_has_agent_dim": True,
            "n_agents": n_agents,
            "centralised": False,
            "share_params": True,
            "device": "cpu",
            "action_spec": Composite(),
            **changes,
        }
    )


def central_critic(config, n_agents=3, n_features=5, share_params=False, state=False):
    """A critic on everybody's observations, or on a global state."""
    output = (
        Composite(state_value=Unbounded((1,)))
        if share_params
        else group_spec(n_agents, state_value=1)
    )
    state_spec = Composite(state=Unbounded((n_features,)))
    return policy(
        config,
        n_agents,
        input_spec=state_spec if state else group_spec(n_agents, observation=n_features),
        output_spec=output,
        input_has_agent_dim=not state,
        centralised=True,
        share_params=share_params,
    )


def group_spec(n_agents, **sizes):
    """Entries ``[n_agents, size]`` under the group's name; a tuple stands for more dimensions."""
    entries = {
        key: Unbounded((n_agents, *size) if isinstance(size, tuple) else (n_agents, size))
        for key, size in sizes.items()
    }
    return Composite(agents=Composite(entries, shape=(n_agents,)))


def call(model, *inputs):
    """Run the model on one tensor per input key."""
    td = TensorDict(dict(zip(model.in_keys, inputs, strict=True)))
    return model(td).get(model.out_key)


def randomise(model):
    """Leave the initial zeros: otherwise biases could be ignored unnoticed."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def spectral_norm(model, layer):
    """Of the first agent's weight; for an orthogonal one this is its gain."""
    return torch.linalg.matrix_norm(model.agent_parameters()[layer, "weight"][0], 2).item()
