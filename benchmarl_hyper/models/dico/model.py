"""DiCo (arXiv 2405.15054): policies with a diversity that the user chooses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from benchmarl.models.common import Model
from tensordict import TensorDictBase
from torch import Tensor
from torchrl.data import Composite, Unbounded

from benchmarl_hyper.measures.diversity import snd, w2_distances
from benchmarl_hyper.models.common.generated_mlp import GeneratedMlpConfig
from benchmarl_hyper.models.fups import Fups
from benchmarl_hyper.models.nops import Nops
from benchmarl_hyper.weights.layers import target_mlp

SHARED, UNCONSTRAINED = 0, -1  # values of desired_snd that set no target


class Dico(Model):
    """A policy for continuous actions: a shared network plus a scaled deviation of each agent.

    Means are ``f(o) + s g_i(o)``, where ``s`` is ``desired_snd`` divided by the diversity of the
    ``g_i``. Standard deviations, in algorithms that have them, come from the shared network alone.
    The algorithm maps them to positive numbers, as it does for every model.

    A forward with gradients compares the ``g_i`` of all agents on the observations of all agents,
    and moves ``estimate`` towards the result by ``tau``. So gradients reach ``s`` with the weight
    ``tau``. A forward without gradients uses the estimate as it is.

    Args:
        desired_snd: target of the distance between the means of two agents, averaged over pairs
            and observations; 0 for one shared policy, -1 for unscaled deviations.
        tau: weight of the newest measurement in the estimate, above 0 and at most 1.
        bootstrap_from_desired_snd: whether the estimate starts at ``desired_snd``; if not, it
            starts at the first measurement.
        process_shared: whether the means of ``f`` are squashed to the range of actions.
        num_cells: hidden sizes of all networks.
        activation_class: activation between layers; it must have no parameters.
        activation_kwargs: arguments of the activation; None for its defaults.
        num_feature_dims: number of trailing dimensions of an input that are features.
        init: initial weights: ``"torch"`` (as published) or ``"orthogonal"``.
        out_gain: gain of the last layers; see :class:`~benchmarl_hyper.GeneratedMlp`.
        **kwargs: the arguments that BenchMARL passes to every model.

    Raises:
        ValueError: if the model is not a policy of the whole group, if actions are discrete, or if
            actions without bounds are to be squashed.
    """

    low: Tensor
    high: Tensor
    estimate: Tensor

    def __init__(
        self,
        desired_snd: float,
        tau: float,
        bootstrap_from_desired_snd: bool,
        process_shared: bool,
        num_cells: Any,
        activation_class: Any,
        activation_kwargs: Any,
        num_feature_dims: int,
        init: str,
        out_gain: float | None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        networks: dict[str, Any] = {
            "num_cells": num_cells,
            "activation_class": activation_class,
            "activation_kwargs": activation_kwargs,
            "num_feature_dims": num_feature_dims,
            "init": init,
            "out_gain": out_gain,
            **kwargs,
        }
        space = self._action_space()
        self.register_buffer("low", space.low.to(self.device))
        self.register_buffer("high", space.high.to(self.device))
        if process_shared and not (self.high - self.low).isfinite().all():
            raise ValueError(
                f"actions of group '{self.agent_group}' have no bounds to squash the shared "
                "network to; set model.process_shared=False"
            )
        self.n_actions = self.low.shape[-1]
        self.shared = Fups(**networks)
        leaf = Unbounded((self.n_agents, self.n_actions))
        entries = Composite({self.out_key[-1]: leaf}, shape=(self.n_agents,))
        self.own = Nops(**{**networks, "output_spec": Composite({self.agent_group: entries})})
        self.desired_snd, self.tau = desired_snd, tau
        self.bootstrap_from_desired_snd = bootstrap_from_desired_snd
        self.process_shared = process_shared
        self.register_buffer("estimate", torch.tensor(float("nan"), device=self.device))
        self.may_estimate = True

    @contextmanager
    def fixed_estimate(self) -> Iterator[None]:
        """Keep the estimate as it is within this block, also in forwards with gradients."""
        before, self.may_estimate = self.may_estimate, False
        try:
            yield
        finally:
            self.may_estimate = before

    def scaling(self, estimate: Tensor) -> Tensor:
        """Return the factor ``s`` of deviations.

        Args:
            estimate: diversity of the ``g_i``, a scalar; nan, which gives 1, if there is none yet.
        """
        if self.desired_snd == SHARED:
            return torch.zeros_like(estimate)
        if self.desired_snd == UNCONSTRAINED or self.n_agents == 1:
            return torch.ones_like(estimate)
        return torch.where(estimate.isnan(), 1.0, self.desired_snd / estimate)

    def _forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        common = self.shared(tensordict.select(*self.in_keys)).get(self.out_key)
        loc, raw_scale = common[..., : self.n_actions], common[..., self.n_actions :]
        if self.process_shared:
            loc = self.low + (self.high - self.low) * (loc.tanh() + 1) / 2
        deviation, estimate = self._deviation(tensordict)
        loc = loc + self.scaling(estimate) * deviation
        tensordict.set(self.out_key, torch.cat([loc, raw_scale], dim=-1))
        return tensordict

    def _deviation(self, tensordict: TensorDictBase) -> tuple[Tensor, Tensor]:
        """Return ``g_i`` of agent i's own input, ``[*batch, n, actions]``, and the estimate."""
        targeted = self.desired_snd not in (SHARED, UNCONSTRAINED) and self.n_agents > 1
        if not (targeted and self.may_estimate and torch.is_grad_enabled()):
            return self.own(tensordict.select(*self.in_keys)).get(self.out_key), self.estimate
        x = self.own.joined_inputs(tensordict)
        seen = x.reshape(1, -1, x.shape[-1])  # every network reads what every agent sees
        everyone = target_mlp(seen, self.own.generate(), self.own.activation)
        estimate = self._new_estimate(snd(w2_distances(everyone)))
        own = everyone.unflatten(1, (-1, self.n_agents)).diagonal(dim1=0, dim2=2).mT
        return own.reshape(*x.shape[:-1], -1), estimate

    def _new_estimate(self, measured: Tensor) -> Tensor:
        first = measured.detach()
        if self.bootstrap_from_desired_snd:
            first = torch.full_like(first, self.desired_snd)
        before = torch.where(self.estimate.isnan(), first, self.estimate)
        estimate = (1 - self.tau) * before + self.tau * measured
        self.estimate.copy_(estimate.detach())
        return estimate

    def _action_space(self) -> Any:
        key, group = self.out_key[-1], self.agent_group
        if self.centralised or key not in ("logits", "param", "action_value"):
            raise ValueError(
                f"dico writes the actions of group '{group}', not {self.out_key}; set another "
                "critic_model, for example layers/nops; in a sequence, make dico the last model"
            )
        space = self.action_spec[group, "action"].space
        if not hasattr(space, "low"):
            raise ValueError(
                f"group '{group}' has discrete actions, but dico scales the means of continuous "
                "ones; choose an algorithm and a task that have them, and set "
                "experiment.prefer_continuous_actions=True, or choose another model"
            )
        if len(space.low) != self.n_agents:
            raise ValueError(
                f"dico is asked for {self.n_agents} of the {len(space.low)} agents of group "
                f"'{group}', but scales by how all of them differ; choose an algorithm whose "
                "agents may share a model, unlike those of happo"
            )
        return space


@dataclass(kw_only=True)
class DicoConfig(GeneratedMlpConfig):
    """Configuration of :class:`Dico`.

    Raises:
        ValueError: if ``desired_snd`` is negative and not -1, or if ``tau`` is out of range.
    """

    seeds_at_once: ClassVar[bool] = False

    desired_snd: float
    tau: float
    bootstrap_from_desired_snd: bool
    process_shared: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.desired_snd < 0 and self.desired_snd != UNCONSTRAINED:
            raise ValueError(
                "desired_snd must be positive, 0 for one shared policy, or -1 for no constraint, "
                f"got {self.desired_snd}"
            )
        if not 0 < self.tau <= 1:
            raise ValueError(f"tau must be above 0 and at most 1, got {self.tau}")

    @staticmethod
    def associated_class() -> type[Dico]:
        """Return :class:`Dico`, the model that this configuration builds."""
        return Dico
