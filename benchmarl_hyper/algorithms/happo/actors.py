"""HAPPO's actors: one policy model per agent, for any kind of model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from benchmarl.models import GnnConfig
from benchmarl.models.common import EnsembleModelConfig, Model, ModelConfig, SequenceModelConfig
from tensordict import TensorDict, TensorDictBase
from torch import nn
from torchrl.data import Composite


class OwnModels(Model):
    """A decentralised model that consists of one model per agent.

    No tensor belongs to two agents. An optimiser skips parameters without a gradient, so it keeps
    a separate state for every agent.

    Args:
        config: configuration of each agent's model, which is built for a group of one.
        input_spec: input spec of the whole group.
        output_spec: output spec of the whole group.
        n_agents: number of agents, and of models.
        **kwargs: the other arguments that BenchMARL passes to a model.

    Raises:
        ValueError: if ``config`` is a GNN or contains one, since GNNs pass messages between agents.
    """

    def __init__(
        self,
        config: ModelConfig,
        input_spec: Composite,
        output_spec: Composite,
        n_agents: int,
        **kwargs: Any,
    ):
        specs = {"input_spec": input_spec, "output_spec": output_spec}
        super().__init__(**specs, n_agents=n_agents, **kwargs, model_index=0, is_critic=False)
        _check_reads_one_agent(config)
        models = [
            config.get_model(
                **{key: _of_agent(spec, i) for key, spec in specs.items()}, n_agents=1, **kwargs
            )
            for i in range(n_agents)
        ]
        self.models = nn.ModuleList(models)
        self.in_keys = models[0].in_keys  # includes the hidden states of recurrent models
        self.learners: Iterable[int] = range(n_agents)

    @contextmanager
    def only(self, agent: int) -> Iterator[None]:
        """Let gradients reach only the parameters of one agent within this block.

        The other agents' parameters get no gradient at all. A gradient of zero would not do the
        same: Adam moves a parameter with a gradient of zero by its momentum.

        Args:
            agent: index of the agent in its group.
        """
        learners, self.learners = self.learners, [agent]
        try:
            yield
        finally:
            self.learners = learners

    def _forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        key, spec = next(iter(self.input_spec.items(True, True)))
        agent_dim = tensordict.get(key).dim() - len(spec.shape)
        inputs = dict(tensordict.select(*self.in_keys, strict=False).items(True, True))
        outputs: Any = []
        for i, model in enumerate(self.models):
            own = {
                key: x.narrow(agent_dim, i, 1) if key[0] == self.agent_group else x
                for key, x in inputs.items()
            }
            with torch.set_grad_enabled(torch.is_grad_enabled() and i in self.learners):
                outputs.append(model(TensorDict(own, tensordict.batch_size)))
        for key in outputs[0].keys(True, True) - inputs.keys():
            tensordict.set(key, torch.cat([output.get(key) for output in outputs], agent_dim))
        return tensordict


@dataclass
class OwnModelsConfig:
    """A stand-in for a model's configuration that builds one model per agent.

    :class:`~benchmarl_hyper.Happo` passes it to BenchMARL when the policy is built.

    Attributes:
        config: configuration of each agent's model.
    """

    config: ModelConfig

    def get_model(self, **kwargs: Any) -> OwnModels:
        """Return the group's model; see :meth:`benchmarl.models.common.ModelConfig.get_model`."""
        return OwnModels(self.config, **kwargs)


def _of_agent(spec: Composite, i: int) -> Composite:
    return Composite({group: entries[i : i + 1] for group, entries in spec.items()})


def _check_reads_one_agent(config: ModelConfig) -> None:
    if any(isinstance(part, GnnConfig) for part in parts(config)):
        raise ValueError(
            "a gnn exchanges messages between agents, but happo gives each agent a model of its "
            "own, which sees that agent alone; choose another model for the policy, for example "
            "model=layers/mlp"
        )


def parts(config: ModelConfig) -> Iterator[ModelConfig]:
    """Yield a model's config and, for a sequence or an ensemble, those of the models in it."""
    yield config
    inner: list[ModelConfig] = []
    if isinstance(config, SequenceModelConfig):
        inner = list(config.model_configs)
    if isinstance(config, EnsembleModelConfig):
        inner = list(config.model_configs_map.values())
    for part in inner:
        yield from parts(part)
