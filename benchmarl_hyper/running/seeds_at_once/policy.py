"""The policies of many seeds as one, for environments whose rows are seed-major."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarl.experiment import Experiment
from tensordict import TensorDictBase
from torch import Generator, Tensor

from benchmarl_hyper.running.rollout_cache import kept_in_rollout, made_before
from benchmarl_hyper.running.seeds_at_once.parameters import StackedParameters
from benchmarl_hyper.running.seeds_at_once.random_numbers import RowsOfSeeds, over_seeds


class SeedsPolicy:
    """Acts for every seed with its own parameters and its own random numbers.

    Args:
        run: the first experiment.
        parameters: the parameters of all experiments.
        generators: a generator for each seed.
    """

    def __init__(
        self, run: Experiment, parameters: StackedParameters, generators: Sequence[Generator]
    ):
        self.generators = generators
        self.groups = [
            _GroupPolicy(run.group_policies[group], parameters, generators)
            for group in run.group_map
        ]

    def __call__(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Write actions, and what they were drawn from, for ``[S * rows]`` environments."""
        for policy in self.groups:
            policy(tensordict)
        return tensordict


class _GroupPolicy:
    def __init__(self, actor: Any, parameters: StackedParameters, generators: Sequence[Generator]):
        self.network, self.distribution = actor.module
        self.parameters = parameters.of(self.network).detach()
        self.tensors = list(self.parameters.values(True, True))
        self.generators = generators
        self.forward = over_seeds(self._of_one, generators)

    def _of_one(
        self, parameters: TensorDictBase, inputs: TensorDictBase, made: dict[Any, Any]
    ) -> tuple[list[Tensor], dict[Any, Any]]:
        with parameters.to_module(self.network), made_before(made):
            outputs = self.network(inputs)
        return [outputs.get(key) for key in self.network.out_keys], made

    def __call__(self, tensordict: TensorDictBase) -> None:
        n_seeds, n_rows = len(self.generators), tensordict.shape[0]
        inputs = tensordict.select(*self.network.in_keys).reshape(n_seeds, -1)
        made = kept_in_rollout(self, *(tensor._version for tensor in self.tensors))
        outputs, new = self.forward(self.parameters, inputs, made)
        made.update(new)
        for key, values in zip(self.network.out_keys, outputs, strict=True):
            tensordict.set(key, values.flatten(0, 1))
        with RowsOfSeeds(self.generators, n_rows):
            self.distribution(tensordict)
