"""Recurrent models: an encoder and a GRU in front of the target network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from benchmarl.models.gru import MultiAgentGRU
from tensordict import TensorDictBase
from torch import Tensor
from torchrl.data import Composite, Unbounded

from benchmarl_hyper.models.common.generated_mlp import (
    GeneratedMlp,
    GeneratedMlpConfig,
    check_sizes,
)
from benchmarl_hyper.weights.initialisation import (
    HIDDEN_GAIN,
    LayerSpec,
    layer_specs,
    lecun_normal_,
    orthogonal_,
)
from benchmarl_hyper.weights.layers import target_mlp
from benchmarl_hyper.weights.rows import Rows, Table, redraw


class Gru(MultiAgentGRU):
    """BenchMARL's GRU for a group, with a choice of initialisation.

    Args:
        init: ``"torch"`` for the default of :class:`torch.nn.GRUCell`; ``"orthogonal"`` for zero
            biases and, per gate, LeCun-normal input weights and orthogonal recurrent weights, as
            is the default of Flax, in which HyperMARL's public code is written.
        **sizes: the other arguments of :class:`benchmarl.models.gru.MultiAgentGRU`.
    """

    def __init__(self, init: str, **sizes: Any):
        super().__init__(**sizes, centralised=False, dropout=0.0, bias=True, compile=False)
        self.init = init
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw a new initialisation, in place."""
        bound = self.hidden_size**-0.5
        for cell in self.params.data["grus"].values():
            for x in cell.values():
                x.uniform_(-bound, bound)
            if self.init == "orthogonal":
                lecun_normal_(*_gates(cell["weight_ih"], cell["bias_ih"]))
                orthogonal_(*_gates(cell["weight_hh"], cell["bias_hh"]), gain=1.0)


def _gates(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return views ``[rows, in, out]`` and ``[rows, out]`` with a row per network and gate."""
    size = bias.shape[-1] // 3
    return weight.view(-1, size, weight.shape[-1]).mT, bias.view(-1, size)


class Recurrent(GeneratedMlp):
    """A mix-in that makes a model recurrent: an encoder and a GRU in front of the target network.

    ``z = activation(encoder(o))`` and ``h = GRU(z, h)``; the target network reads ``h`` (HyperMARL,
    arXiv 2412.04233, and its public code for SMAX). All agents share the encoder and the GRU unless
    a class says otherwise, and the weights of these two are not generated: ``generate()`` and
    ``agent_parameters()`` return the target network alone.

    Hidden states work as in BenchMARL's ``gru``. If its input has no hidden state, the model runs
    sequences ``[*batch, time]`` that start from zero, as in training. If its input has one, the
    model runs one step and writes the next state. States are reset to zero where ``is_init`` is
    True.

    Args:
        encoder_cells: layer sizes of the encoder; empty for a GRU that reads the input itself.
        hidden_size: size of a hidden state.
        n_layers: number of stacked GRUs.
        **kwargs: the arguments of the model that becomes recurrent.
    """

    own_memory = False  # whether each agent has its own encoder and GRU
    id_at_input = False  # whether the encoder also reads a one-hot id

    def __init__(
        self, *, encoder_cells: Sequence[int], hidden_size: int, n_layers: int, **kwargs: Any
    ):
        self.hidden_size = hidden_size  # before super(), where it is the input size
        super().__init__(**kwargs)
        self.encoder_sizes = [super()._in_features(), *encoder_cells]
        self.state_shape = (n_layers, hidden_size)
        self.hidden_key = (self.agent_group, hidden_name(self.model_index))
        self.in_keys += ["is_init", self.hidden_key]
        init = kwargs["init"]
        specs = layer_specs(self.encoder_sizes, init, HIDDEN_GAIN) if encoder_cells else []
        self.encoder = self._make_encoder(specs).to(self.device)
        self.gru = Gru(
            init,
            input_size=self.encoder_sizes[-1],
            hidden_size=hidden_size,
            n_layers=n_layers,
            n_agents=self.n_agents,
            share_params=not self.own_memory,
            device=self.device,
        )

    @property
    def own_states(self) -> bool:
        """Whether each agent has its own hidden state; if not, there is one for all agents."""
        return self.own_inputs or (self.n_agents > 1 and (self.own_memory or self.id_at_input))

    def reset_parameters(self) -> None:
        """Draw a new initialisation, in place."""
        super().reset_parameters()
        redraw(self.encoder)
        self.gru.reset_parameters()

    def __repr__(self) -> str:
        inner = f"encoder={self.encoder_sizes}, hidden_state={list(self.state_shape)}, target="
        return super().__repr__().replace("target=", inner, 1)

    def _make_encoder(self, specs: Sequence[LayerSpec]) -> Table:
        return Table(Rows(self.n_agents if self.own_memory else 1, spec) for spec in specs)

    def _in_features(self) -> int:
        return self.hidden_size

    def _forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        hidden = tensordict.get(self.hidden_key, None)
        z = self._encode(self.joined_inputs(tensordict))
        *batch, n, features = z.shape
        steps = batch[-1] if hidden is None else 1
        z = z.reshape(-1, steps, n, features)
        is_init = self._is_init(tensordict).reshape(-1, steps, 1, 1).expand(-1, -1, n, -1)
        shape = len(z), n, *self.state_shape
        h = z.new_zeros(shape) if hidden is None else hidden.reshape(shape)
        y, h = self.gru.run_net(z, is_init, h)
        y = y.reshape(*batch, n, self.hidden_size)
        own = self.own_states
        tensordict.set(self.out_key, self._run_agents(y if own else y.squeeze(-2), own))
        if hidden is not None:
            tensordict.set(("next", *self.hidden_key), h.view_as(hidden))
        return tensordict

    def _is_init(self, tensordict: TensorDictBase) -> Tensor:
        is_init = tensordict.get("is_init", None)
        if is_init is None:
            raise ValueError(
                f"{type(self).__name__} of group '{self.agent_group}' is recurrent and needs to "
                "know where episodes begin, but BenchMARL records this only if the policy is "
                "recurrent; choose a recurrent policy, for example model=layers/hypermarl_gru, or "
                "another critic, for example model@critic_model=layers/hypermarl_mlp"
            )
        return is_init

    def _encode(self, x: Tensor) -> Tensor:
        """Return the GRU's input, ``[*batch, n, features]``, with n = 1 if all agents share it."""
        batch = x.shape[: -2 if self.own_inputs else -1]
        rows = x.reshape(-1, self.n_agents if self.own_inputs else 1, x.shape[-1]).transpose(0, 1)
        if len(self.encoder):
            rows = self._activate(target_mlp(rows, self.encoder(), self._activate))
        rows = rows.expand(self.n_agents if self.own_states else 1, -1, -1)
        return rows.transpose(0, 1).reshape(*batch, *rows.shape[::2])


@dataclass(kw_only=True)
class RecurrentConfig(GeneratedMlpConfig):
    """The fields that :class:`Recurrent` adds to the configuration of a model.

    Raises:
        ValueError: if a size is not positive.
    """

    seeds_at_once: ClassVar[bool] = False

    encoder_cells: Sequence[int]
    hidden_size: int
    n_layers: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("encoder_cells", self.encoder_cells)
        check_sizes("hidden_size", [self.hidden_size])
        check_sizes("n_layers", [self.n_layers])

    @property
    def is_rnn(self) -> bool:
        """Whether BenchMARL treats the model as recurrent: always True."""
        return True

    def get_model_state_spec(self, model_index: int = 0) -> Composite:
        """Return the spec of one agent's hidden state, ``[n_layers, hidden_size]``.

        Args:
            model_index: place of the model in a sequence of models.
        """
        shape = (self.n_layers, self.hidden_size)
        return Composite({hidden_name(model_index): Unbounded(shape)})


def hidden_name(model_index: int) -> str:
    """Return the key of a model's hidden states.

    It starts with an underscore, so that collectors do not store the states.

    Args:
        model_index: place of the model in a sequence of models.
    """
    return f"_hidden_gru_{model_index}"
