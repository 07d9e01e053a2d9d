"""Weights for each sample: what a generator reads changes from one observation to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import NoReturn

import torch
from tensordict import TensorDictBase
from torch import Tensor

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.weights.layers import Layer, target_mlp


class PerSample(GeneratedMlp):
    """A model whose generator also reads something of each sample.

    Every sample then has weights of its own, which no cache keeps, and no agent has a network that
    could be exported. While gradients are disabled, samples are processed in parts whose weights
    fit into ``max_bytes``. While they are enabled, a minibatch that does not fit raises a
    ``ValueError``. A class that sets ``generates_alone`` on an instance makes it an ordinary
    :class:`GeneratedMlp`.
    """

    generates_alone = False
    max_bytes: int  # largest size of the weights that one call may generate, in bytes

    def generate(self) -> list[Layer]:
        """Return the layers, if they do not depend on an observation.

        Raises:
            ValueError: if they do.
        """
        return super().generate() if self.generates_alone else self._refuse()

    def _refuse(self) -> NoReturn:
        raise ValueError(
            f"{type(self).__name__} generates weights for each observation, so no agent has a "
            "network of its own; choose a variant whose hypernetwork reads the agent alone, for "
            "example hypermarl_mlp with codes=embedding"
        )

    def _forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        if self.generates_alone:
            return super()._forward(tensordict)
        x = self.joined_inputs(tensordict)
        if not self.own_inputs:
            x = x.unsqueeze(-2).expand(*x.shape[:-1], self.n_agents, -1)
        y = self._run_all(x, self._generator_inputs(tensordict, x))
        tensordict.set(self.out_key, y if self.output_has_agent_dim else y.squeeze(-2))
        return tensordict

    def _generator_inputs(self, tensordict: TensorDictBase, x: Tensor) -> Tensor:
        """Return what the generator reads, ``[*batch, n, features]``; here, the model's inputs."""
        return x

    def _run_all(self, x: Tensor, read: Tensor) -> Tensor:
        samples = x.reshape(-1, self.n_agents, x.shape[-1])
        size = self._samples_at_once(samples)
        read = read.reshape(-1, self.n_agents, read.shape[-1])
        parts = zip(samples.split(size), read.split(size), strict=True)
        y = torch.cat([self._run_samples(*part) for part in parts])
        return y.reshape(*x.shape[:-1], self.sizes[-1])

    def _run_samples(self, samples: Tensor, read: Tensor) -> Tensor:
        """Return outputs ``[samples * n, 1, out]`` for ``[samples, n, in]``, a network for each."""
        inputs = samples.reshape(-1, 1, self.sizes[0])
        return target_mlp(inputs, self.generator(read), self._activate)

    def _weights_per_agent(self) -> int:
        """Return how many numbers are generated for one agent of one sample."""
        return sum((i + 1) * o for i, o in pairwise(self.sizes))

    def _samples_at_once(self, samples: Tensor) -> int:
        """Return the number of samples to generate weights for at once.

        Raises:
            ValueError: if gradients are enabled and the weights of all samples do not fit.
        """
        size = self.n_agents * self._weights_per_agent() * samples.element_size()
        fitting, n_samples = self.max_bytes // size, max(len(samples), 1)
        if n_samples <= fitting:
            return n_samples
        if torch.is_grad_enabled():
            raise ValueError(
                f"{type(self).__name__} of group '{self.agent_group}' would generate weights of "
                f"{n_samples * size:,} bytes for {n_samples:,} frames, and max_bytes is "
                f"{self.max_bytes:,}; use minibatches of at most {fitting:,} frames "
                "(experiment.on_policy_minibatch_size with algorithm.minibatch_advantage=True, or "
                "experiment.off_policy_train_batch_size), smaller num_cells, or a larger max_bytes"
            )
        return max(fitting, 1)
