"""The adapter: a BenchMARL model around a weight generator and the target network."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import torch
from benchmarl.models.common import Model, ModelConfig
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn

from benchmarl_hyper.conf_files import CONF, typed_values, yaml_schema
from benchmarl_hyper.running.parts import module_class
from benchmarl_hyper.running.rollout_cache import once
from benchmarl_hyper.weights.initialisation import HIDDEN_GAIN, SCHEMES, LayerSpec, layer_specs
from benchmarl_hyper.weights.layers import Layer, target_mlp
from benchmarl_hyper.weights.rows import redraw

Generator = Callable[[int, Sequence[LayerSpec]], nn.Module]

# The gain of the last layer for each kind of output (HyperMARL's public code). The output's key
# decides, because BenchMARL sets ``is_critic`` also on a policy that shares its critic's config.
OUT_GAINS = {"logits": 0.01, "param": 0.01}
VALUE_GAIN = 1.0

# These activations may overwrite their input, because their derivative needs only their result.
IN_PLACE = {nn.Tanh: torch.tanh_, nn.ReLU: torch.relu_, nn.Sigmoid: torch.sigmoid_}


class GeneratedMlp(Model):
    """An MLP per agent whose weights a generator writes.

    Policies and critics, with and without an agent dimension in input and output, work the same
    way: the inputs are concatenated, the layers are generated, and each layer runs as one product
    for all agents. ``share_params`` decides only the shape of the output; the generator decides
    what agents share.

    Args:
        make_generator: function that returns the generator for a number of agents and the layers
            of the target network.
        num_cells: hidden sizes of the target network.
        activation_class: activation between its layers; it must have no parameters.
        activation_kwargs: arguments of the activation; None for its defaults.
        num_feature_dims: number of trailing dimensions of an input that are features.
        init: initial weights: ``"orthogonal"`` (as in HyperMARL) or ``"torch"`` (as BenchMARL's
            ``mlp``).
        out_gain: gain of the last layer; None for 0.01 in policies, 1 in critics and Q-networks,
            and sqrt(2) between the models of a sequence.
        **kwargs: the arguments that BenchMARL passes to every
            :class:`~benchmarl.models.common.Model`.

    Raises:
        ValueError: if an input does not have ``num_feature_dims`` feature dimensions, if one output
            without agent dimension is asked of a model that gives each agent its own, or if the
            activation has parameters.
    """

    agents_alike = False  # whether all agents give the same output for the same input
    generates_alone = True  # whether weights are generated without looking at observations

    def __init__(
        self,
        make_generator: Generator,
        *,
        num_cells: Sequence[int],
        activation_class: type[nn.Module],
        activation_kwargs: dict[str, Any] | None,
        num_feature_dims: int,
        init: str,
        out_gain: float | None,
        **kwargs: Any,
    ):
        self.num_feature_dims = num_feature_dims  # before super(), which checks inputs
        super().__init__(**kwargs)
        self.read_keys = list(self.in_keys)
        self.weight_dtype = torch.get_default_dtype()
        self.sizes = [self._in_features(), *num_cells, self.output_leaf_spec.shape[-1]]
        gain = self._default_gain() if out_gain is None else out_gain
        self.activation = activation_class(**(activation_kwargs or {}))
        if list(self.activation.parameters()):
            raise ValueError(
                f"activation_class {activation_class.__name__} has parameters, which all agents "
                "would share; choose one without, for example torch.nn.Tanh"
            )
        self._activate = IN_PLACE.get(type(self.activation), self.activation)
        generator = make_generator(self.n_agents, layer_specs(self.sizes, init, gain))
        self.generator = generator.to(self.device)

    def generate(self) -> list[Layer]:
        """Return the layers of the target networks, first layer first."""
        return self.generator()

    def agent_parameters(self) -> TensorDict:
        """Return each agent's weights, laid out as BenchMARL's ``mlp`` holds them without sharing.

        Returns:
            A tensordict of batch size ``[n_agents]``. The first layer is ``("0", "weight")`` of
            ``[n_agents, out, in]`` and ``("0", "bias")`` of ``[n_agents, out]``. The next one is
            ``"2"``, and so on in steps of two, since activations count. Entries are differentiable
            with respect to the model's parameters.
        """
        layers = {
            str(2 * i): {
                "weight": weight.mT.expand(self.n_agents, -1, -1),
                "bias": bias.squeeze(1).expand(self.n_agents, -1),
            }
            for i, (weight, bias) in enumerate(self.generate())
        }
        return TensorDict(layers, batch_size=[self.n_agents])

    def reset_parameters(self) -> None:
        """Draw a new initialisation, in place."""
        redraw(self.generator)

    def __repr__(self) -> str:
        generated = sum((i + 1) * o for i, o in pairwise(self.sizes))
        trainable = sum(p.numel() for p in self.parameters())
        return (
            f"{type(self).__name__}(n_agents={self.n_agents}, target={self.sizes}, "
            f"out_key={self.out_key}, parameters per agent={generated:,}, trainable={trainable:,})"
        )

    def _forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        x = self.joined_inputs(tensordict)
        tensordict.set(self.out_key, self._run_agents(x, self.own_inputs))
        return tensordict

    @property
    def own_inputs(self) -> bool:
        """Whether each agent has its own input; if not, there is one input for all agents."""
        return self.input_has_agent_dim and not self.centralised

    def joined_inputs(self, tensordict: TensorDictBase) -> Tensor:
        """Return all inputs as one tensor, in the dtype of the weights.

        Args:
            tensordict: what the model is called with.

        Returns:
            ``[*batch, n, in]`` if each agent has its own input, else ``[*batch, in]``.
        """
        inputs = [tensordict.get(key) for key in self.read_keys]
        if self.num_feature_dims > 1:
            inputs = [x.flatten(-self.num_feature_dims) for x in inputs]
        x = (inputs[0] if len(inputs) == 1 else torch.cat(inputs, -1)).to(self.weight_dtype)
        return x.flatten(-2) if self.input_has_agent_dim and self.centralised else x

    def _run_agents(self, x: Tensor, own_inputs: bool) -> Tensor:
        """Return the output for ``[*batch, n, in]`` or, without own inputs, ``[*batch, in]``.

        It is ``[*batch, n, out]``, or ``[*batch, out]`` if the output has no agent dimension.
        """
        if own_inputs and x.dim() == 3 and not self.agents_alike:
            return self._run_networks(x.transpose(0, 1)).transpose(0, 1)
        batch = x.shape[: -2 if own_inputs else -1]
        if own_inputs and not self.agents_alike:
            flat = x.reshape(-1, self.n_agents, self.sizes[0])
            return self._run_agents(flat, own_inputs).reshape(*batch, self.n_agents, -1)
        y = self._run_networks(x.reshape(1, -1, self.sizes[0]))
        if own_inputs:
            return y.reshape(*batch, self.n_agents, -1)
        if not self.output_has_agent_dim:
            return y[0].reshape(*batch, -1)
        return y.expand(self.n_agents, -1, -1).transpose(0, 1).reshape(*batch, self.n_agents, -1)

    def _run_networks(self, x: Tensor) -> Tensor:
        """Return the outputs ``[n or 1, rows, out]`` of networks for ``[n or 1, rows, in]``."""
        return target_mlp(x, once(self.generator, self.generator), self._activate)

    def _perform_checks(self) -> None:
        super()._perform_checks()
        n_dims = self.num_feature_dims + self.input_has_agent_dim
        for key, spec in self.input_spec.items(True, True):
            if len(spec.shape) != n_dims:
                raise ValueError(
                    f"input {key} of group '{self.agent_group}' has shape {tuple(spec.shape)}, but "
                    f"{type(self).__name__} reads {self.num_feature_dims} feature dimension(s) "
                    f"{'per agent' if self.input_has_agent_dim else 'of a global state'}; for an "
                    "image, put a cnn layer in front, in a sequence (model=sequence)"
                )
        if not (self.output_has_agent_dim or self.agents_alike or self.n_agents == 1):
            raise ValueError(
                f"critic of group '{self.agent_group}' is asked for one output for all agents, but "
                f"{type(self).__name__} gives each of the {self.n_agents} agents its own; set "
                "algorithm.share_param_critic=False (for masac with discrete actions also "
                "algorithm.coupled_discrete_values=False), or choose another critic_model, for "
                "example layers/fups"
            )

    def _in_features(self) -> int:
        shapes = [
            spec.shape[-self.num_feature_dims :] for spec in self.input_spec.values(True, True)
        ]
        features = sum(shape.numel() for shape in shapes)
        return (
            features * self.n_agents if self.input_has_agent_dim and self.centralised else features
        )

    def _default_gain(self) -> float:
        name = self.out_key if isinstance(self.out_key, str) else self.out_key[-1]
        return HIDDEN_GAIN if "_intermediate_" in name else OUT_GAINS.get(name, VALUE_GAIN)


@dataclass(kw_only=True)
class GeneratedMlpConfig(ModelConfig):
    """The configuration that all models have in common; its values are in ``conf/model/layers``.

    Raises:
        ValueError: if a size is not positive, if ``init`` is unknown, or if ``out_gain`` is set
            although ``init`` does not use it.
    """

    conf: ClassVar[Path] = CONF  # the folder that has the shipped values in model/layers
    seeds_at_once: ClassVar[bool] = True  # whether the model can be trained with many seeds

    num_cells: Sequence[int]
    activation_class: type[nn.Module]
    activation_kwargs: dict[str, Any] | None
    num_feature_dims: int
    init: str
    out_gain: float | None

    def __post_init__(self) -> None:
        check_sizes("num_cells", self.num_cells)
        check_sizes("num_feature_dims", [self.num_feature_dims])
        if self.init not in SCHEMES:
            raise ValueError(f"init must be one of {', '.join(SCHEMES)}, got {self.init!r}")
        if self.init == "torch" and self.out_gain is not None:
            raise ValueError(
                f"out_gain={self.out_gain} has no effect with init='torch'; set it to null, or use "
                "init='orthogonal'"
            )

    @classmethod
    def model_name(cls) -> str:
        """Return the name in registry, YAML and command line: ``fups_id`` for ``FupsId``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.associated_class().__name__).lower()

    @classmethod
    def get_from_yaml(cls, path: str | None = None):
        """Load the shipped values, overridden by those of a YAML file.

        Args:
            path: a YAML file with any of the keys; None for the shipped values alone.

        Raises:
            ValueError: if a key is unknown, if a value does not have its type, or if the file is
                for another model; the message names the file and the key.
        """
        shipped = cls.conf / "model" / "layers" / f"{cls.model_name()}.yaml"
        values = typed_values(cls.yaml_schema(), shipped, path)
        try:
            return cls.from_values(values)
        except ValueError as error:
            raise ValueError(f"{path or shipped}: {error}") from error

    @classmethod
    @cache
    def yaml_schema(cls) -> type:
        """Return the dataclass that types the model's YAML files: ``name`` and every field."""
        hints = get_type_hints(cls)
        types = {"name": str} | {f.name: hints[f.name] for f in fields(cls)}
        return yaml_schema(cls.__name__, types, cls.__module__)

    @classmethod
    def from_values(cls, values: dict[str, Any]):
        """Build the configuration from values in the types of its YAML.

        Args:
            values: ``name``, which must be the model's, and a value for every field.

        Raises:
            ValueError: if the name is another model's, if a class does not exist, or if a value is
                refused; the message names the key.
        """
        name, *others = (values["name"], *(f.name for f in fields(cls)))
        if name != cls.model_name():
            raise ValueError(f"name is '{name}', but these are values of '{cls.model_name()}'")
        return cls(**{key: module_class(key, values[key]) for key in others})


def check_sizes(key: str, sizes: Sequence[int]) -> None:
    """Raise a ``ValueError`` that names ``key`` unless all sizes are positive whole numbers."""
    for size in sizes:
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{key} must be positive whole numbers, got {list(sizes)}")
