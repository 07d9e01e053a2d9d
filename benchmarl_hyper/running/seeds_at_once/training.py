"""Steps of one group's optimisers for many seeds at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Generator, Tensor

from benchmarl_hyper.running.seeds_at_once.parameters import StackedParameters
from benchmarl_hyper.running.seeds_at_once.random_numbers import over_seeds


class GroupTraining:
    """Trains one group of every seed: the same steps that each experiment takes alone.

    Args:
        runs: an experiment for each of ``S`` seeds.
        group: name of the group.
        parameters: their stacked parameters.
        generators: a generator for each seed.
    """

    def __init__(
        self,
        runs: Sequence[Any],
        group: str,
        parameters: StackedParameters,
        generators: Sequence[Generator],
    ):
        self.runs, self.group, self.generators = runs, group, generators
        self.run = runs[0]
        self.loss = self.run.losses[group]
        self.parameters = parameters.of(self.loss)
        self.losses = over_seeds(self._loss_of_one, generators)
        self.values = over_seeds(self._values_of_one, generators)
        self.optimizers = {
            name: SeedsAdam([run.optimizers[group][name] for run in runs], parameters)
            for name in self.run.optimizers[group]
        }
        self.samplers = [run.replay_buffers[group]._sampler for run in runs]
        for sampler, generator in zip(self.samplers, generators, strict=True):
            sampler._rng = generator
        self.data = TensorDict()

    def begin(self, batch: TensorDictBase) -> None:
        """Prepare what was collected, ``[S * rows, time]``, for the steps of this iteration."""
        run, n_seeds = self.run, len(self.runs)
        config = run.config
        batch = batch.exclude(*run._get_excluded_keys(self.group)).to(config.train_device)
        estimator = self.loss.value_estimator
        with torch.no_grad():
            self._set_values(batch)
        hidden = vars(estimator)  # where torchrl keeps the network, so that it is no submodule
        network, hidden["value_network"] = hidden["value_network"], None
        try:
            batch = run.algorithm.process_batch(self.group, batch)
        finally:
            hidden["value_network"] = network
        self.data = batch.reshape(n_seeds, -1)

    def step(self) -> tuple[TensorDictBase, TensorDictBase]:
        """Take one step on a minibatch of every seed.

        Returns:
            The logged values ``[S]``, and the minibatches ``[S, samples]``.
        """
        minibatch = self._sample()
        losses = self.losses(self.parameters, minibatch.copy())
        logged = losses.detach()
        losses = self.run.algorithm.process_loss_vals(self.group, losses)
        for name, values in losses.items():
            if name in self.optimizers:
                values.sum().backward()
                logged[f"grad_norm_{name}"] = self.optimizers[name].step(self.run.config)
        return logged, minibatch

    def prepare_checkpoint(self) -> None:
        """Give each experiment what its checkpoint holds: optimisers' states, and the batch.

        Checkpoints of on-policy runs leave out the batch, but not the order of the next samples.
        """
        for optimizer in self.optimizers.values():
            optimizer.split_states()
        for run, rows in zip(self.runs, self.data, strict=True):
            run.replay_buffers[self.group].extend(rows)

    def _loss_of_one(self, parameters: TensorDictBase, minibatch: TensorDictBase) -> TensorDictBase:
        with parameters.to_module(self.loss):
            return self.loss(minibatch)

    def _set_values(self, batch: TensorDictBase) -> None:
        key = self.loss.value_estimator.tensor_keys.value
        inputs = self.loss.critic_network.in_keys
        both = torch.stack([batch.select(*inputs), batch["next"].select(*inputs)], 0)
        by_seed = both.reshape(2, len(self.runs), -1, batch.shape[-1]).transpose(0, 1)
        values = self.values(self.parameters, by_seed).transpose(0, 1)
        batch[key], batch["next", key] = values.reshape(2, *batch.shape, *values.shape[4:])

    def _values_of_one(self, parameters: TensorDictBase, inputs: TensorDictBase) -> Tensor:
        key = self.loss.value_estimator.tensor_keys.value
        with parameters.to_module(self.loss):
            network, own = self.loss.critic_network, self.loss.critic_network_params
            with own.to_module(network):
                return network(inputs)[key]

    def _sample(self) -> TensorDictBase:
        n_seeds, n_samples = self.data.shape
        storage = _Storage(n_samples, self.data.device)
        size = self.run.config.train_minibatch_size(True)
        drawn = [sampler.sample(storage, size)[0] for sampler in self.samplers]
        index = (
            torch.stack(drawn) + torch.arange(n_seeds, device=self.data.device)[:, None] * n_samples
        )
        return self.data.view(-1)[index.view(-1)].view(n_seeds, -1)


class _Storage:
    """What samplers ask of a storage."""

    ndim = 1

    def __init__(self, length: int, device: Any):
        self.length, self.device = length, device

    def __len__(self) -> int:
        return self.length


class SeedsAdam:
    """Adam on stacked parameters, with the gradient of each seed clipped by its own norm.

    Args:
        optimizers: the optimiser of each seed.
        parameters: the stacked parameters.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Adam], parameters: StackedParameters):
        self.own = optimizers
        first = optimizers[0]
        self.tensors = [parameters.stacked(p) for p in _trained(first)]
        self.optimizer = type(first)(self.tensors, **first.defaults)
        self._join_states()

    def step(self, config: Any) -> Tensor:
        """Clip gradients as BenchMARL's configuration says, take a step, and drop gradients.

        Returns:
            The norm of the gradient of each seed before clipping, ``[S]``.
        """
        gradients = [tensor.grad for tensor in self.tensors if tensor.grad is not None]
        norms = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]
        total = torch.linalg.vector_norm(torch.stack(norms), dim=0)
        value = config.clip_grad_val
        if value is not None and config.clip_grad_norm:
            factor = (value / (total + 1e-6)).clamp(max=1.0)
            for g in gradients:
                g.mul_(factor.view(-1, *[1] * (g.dim() - 1)))
        elif value is not None:
            torch.nn.utils.clip_grad_value_(self.tensors, value)
        for name, option in self.own[0].param_groups[0].items():
            if name != "params":
                self.optimizer.param_groups[0][name] = option
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total

    def split_states(self) -> None:
        """Give each seed's optimiser the state of its parameters, as views."""
        for index, own in enumerate(self.own):
            for param, tensor in zip(_trained(own), self.tensors, strict=True):
                state = self.optimizer.state.get(tensor, {})
                own.state[param] = {
                    name: value if value.dim() == 0 else value[index]
                    for name, value in state.items()
                }
            for name, option in self.own[0].param_groups[0].items():
                if name != "params":
                    own.param_groups[0][name] = option

    def _join_states(self) -> None:
        columns = zip(*map(_trained, self.own), strict=True)
        for tensor, params in zip(self.tensors, columns, strict=True):
            states = [own.state.get(p, {}) for own, p in zip(self.own, params, strict=True)]
            if states[0]:
                self.optimizer.state[tensor] = {
                    name: value.clone()
                    if value.dim() == 0
                    else torch.stack([state[name] for state in states])
                    for name, value in states[0].items()
                }


def _trained(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return what an optimiser trains: BenchMARL hands it buffers, too."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
