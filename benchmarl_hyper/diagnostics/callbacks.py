"""BenchMARL callbacks: they gather, call a pure function, and log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from benchmarl.experiment import Callback
from tensordict import TensorDictBase
from torch import Tensor

from benchmarl_hyper.diagnostics.observations import load
from benchmarl_hyper.diagnostics.policy_gradients import mean_policy_gradient, policy_gradients
from benchmarl_hyper.diagnostics.policy_outputs import group_distances, policy_keys, thinned
from benchmarl_hyper.measures.diversity import snd
from benchmarl_hyper.measures.gradients import (
    conflict,
    coordinate_variance,
    cosine_similarities,
    minibatch_variance,
)
from benchmarl_hyper.running.callbacks import RunCallback
from benchmarl_hyper.running.recording import log_scalars, record_matrix
from benchmarl_hyper.weights.embedding import AgentEmbedding


class SndCallback(RunCallback):
    """Log System Neural Diversity (SND) of every group at every evaluation.

    Each agent's policy is asked about what all agents of its group saw in the evaluation, by
    rolling the observations along the agents: ``n`` forward passes, of any decentralised policy.
    What is logged under ``eval/<group>`` depends on the policy, and no name stands for two things:

    - ``snd``: 2-Wasserstein, Gaussian policies; ``snd_loc``: the same of the means alone, also for
      deterministic policies. Both before squashing.
    - ``snd_js`` (Jensen-Shannon distance, base 2) and ``snd_tvd`` (total variation): categorical
      policies, masked ones too, and the greedy policies of Q-values.

    The matrices of distances go to ``diagnostics.jsonl`` in the run's folder, a line each.

    Args:
        max_steps: how many of the evaluation's steps are used, evenly spaced. Recurrent policies
            are asked about whole episodes.
        observations: a file of ``python -m benchmarl_hyper.observations``. With it, diversity is
            also measured on what it holds, under the same names and ``_fixed``.
    """

    def __init__(self, max_steps: int = 200, observations: str | None = None):
        super().__init__()
        self.max_steps = max_steps
        self.observations = observations
        self.fixed: TensorDictBase | None = None

    def on_setup(self) -> None:
        """Load the fixed observations.

        Raises:
            ValueError: if they are not of this task, or the policy is recurrent.
        """
        if self.observations is None:
            return
        run, self.fixed = self.experiment, load(self.observations)
        if run.algorithm.has_rnn:
            raise ValueError(
                f"observations={self.observations} cannot be used with a recurrent policy, which "
                "needs whole episodes; set it to null"
            )
        for group in run.group_map:
            for key in policy_keys(run.algorithm.get_policy_for_loss(group)):
                expected = run.test_env.full_observation_spec_unbatched[key].shape
                if self.fixed.get(key, torch.empty(0)).shape[1:] != expected:
                    raise ValueError(
                        f"{self.observations} has no {key} of shape {tuple(expected)}: it was "
                        "recorded on another task; record observations of this one"
                    )

    @torch.no_grad()
    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Measure on the rollouts of the evaluation, and on the fixed observations."""
        run = self.experiment
        episodes = [rollout.unsqueeze(0) for rollout in rollouts]  # what recurrent models expect
        recurrent = run.algorithm.has_rnn
        steps = {"": episodes if recurrent else [thinned(torch.cat(rollouts), self.max_steps)]}
        if self.fixed is not None:
            steps["_fixed"] = [self.fixed]
        for group, (suffix, batches) in product(run.group_map, steps.items()):
            policy = run.algorithm.get_policy_for_loss(group)
            for name, matrix in group_distances(policy, batches, group, run.config.train_device):
                log_scalars(run, "eval", group, {name + suffix: snd(matrix).item()})
                record_matrix(run, group, name + suffix, matrix)


class GradientCallback(RunCallback):
    """Log how the agents' policy gradients interfere, and how they vary, before clipping.

    Under ``train/<group>``, on the first minibatch of some iterations, for algorithms with a policy
    gradient (PPO, DDPG, SAC). BenchMARL calls back after the step on that minibatch, so this is
    where gradients are taken: of the policy's loss without entropy bonus, with respect to all of
    the policy's parameters. Where PPO has clipped every sample they are zero, and cosines null.

    - ``gradient_conflict``: the mean cosine over pairs of agents; negative is conflict.
      ``gradient_conflict_share``: the share of negative pairs. Without sharing the cosines are 0,
      but for the centralised critics of MADDPG and MASAC, which see everybody's actions.
    - ``gradient_variance_coordinates``: the paper's variance over coordinates.
      ``gradient_variance_minibatches``: noise to signal of parts of the minibatch.
    - For our variants with weights per agent, the two factors that HyperMARL decouples, as means
      over agents: ``gradient_norm_generated``, the norm of ``Z_i = dL_i / d theta_i`` for the
      weights that agent's network runs on, where observations enter; and
      ``gradient_norm_parameters``, that of ``J_i Z_i = dL_i / d psi``, after the generator's
      Jacobian, where the agent's identity enters.

    The matrices of cosines, and the norms per agent, go to ``diagnostics.jsonl`` in the run's
    folder. The training is not disturbed: a run ends with the same parameters as one without.

    Args:
        every: measure in every so many iterations.
        parts: into how many parts the minibatch is divided for the last value.
    """

    def __init__(self, every: int = 5, parts: int = 8):
        super().__init__()
        self.every, self.parts = every, parts
        self.measured: dict[str, int] = {}  # group to iteration

    def on_train_step(self, batch: TensorDictBase, group: str) -> None:
        """Measure, on the first minibatch."""
        run = self.experiment
        iteration = run.n_iters_performed
        if iteration % self.every or self.measured.get(group) == iteration:
            return
        self.measured[group] = iteration
        loss, n_agents = run.losses[group], len(run.group_map[group])
        size = max(len(batch) // self.parts, 1)
        parts = [part for part in batch.split(size) if len(part) == size]
        n_parameters = sum(p.numel() for p in loss.parameters())
        with torch.random.fork_rng(), torch.enable_grad():
            gradients = policy_gradients(loss, batch, n_agents)
            if gradients is None:
                return
            by_part = torch.stack([mean_policy_gradient(loss, part, n_agents) for part in parts])
        by_agent, generated = gradients
        values = {
            "gradient_variance_coordinates": coordinate_variance(by_agent.mean(0), n_parameters),
            "gradient_variance_minibatches": minibatch_variance(by_part),
        }
        if generated is not None:
            norms = torch.stack([generated, by_agent.norm(dim=-1)], dim=-1)
            values["gradient_norm_generated"], values["gradient_norm_parameters"] = norms.mean(0)
            record_matrix(run, group, "gradient_norms", norms)
        if n_agents > 1:
            cosines = cosine_similarities(by_agent)
            values["gradient_conflict"], values["gradient_conflict_share"] = conflict(cosines)
            record_matrix(run, group, "gradient_cosine", cosines)
        log_scalars(run, "train", group, {name: value.item() for name, value in values.items()})


class EmbeddingCallback(RunCallback):
    """Log how far apart the learned agent embeddings of a policy are, at every evaluation.

    ``eval/<group>/embedding_distance`` is the mean cosine distance over pairs of agents, which
    starts at 1 where there are no more agents than dimensions. ``diagnostics.jsonl`` in the run's
    folder gets its matrix, the embeddings themselves, and ``embedding_projection [n, 2]`` onto the
    two directions in which they differed most at the first evaluation, so that points of different
    evaluations may be joined by lines. Policies without learned embeddings are passed over.
    """

    def __init__(self) -> None:
        super().__init__()
        self.axes: dict[str, Tensor] = {}  # group to [d, 2]

    @torch.no_grad()
    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Measure the tables of all groups."""
        run = self.experiment
        for group in run.group_map:
            modules = run.algorithm.get_policy_for_loss(group).modules()
            tables = [m() for m in modules if isinstance(m, AgentEmbedding) and m.learned]
            if not tables:
                continue
            table = tables[-1].cpu()  # of a sequence, the model nearest to the action
            axes = self.axes.setdefault(group, principal_axes(table))
            distances = 1 - cosine_similarities(table)
            log_scalars(run, "eval", group, {"embedding_distance": snd(distances).item()})
            record_matrix(run, group, "embedding_distance", distances)
            record_matrix(run, group, "embedding", table)
            record_matrix(run, group, "embedding_projection", table @ axes)

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put the directions of the projection into a checkpoint."""
        state_dict["embedding_axes"] = self.axes

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them from there."""
        self.axes = state_dict.get("embedding_axes", {})


CALLBACKS: dict[str, type[Callback]] = {
    "snd": SndCallback,
    "gradients": GradientCallback,
    "embeddings": EmbeddingCallback,
}


def callbacks_named(
    names: Sequence[str] | str, snd_observations: str | None = None
) -> list[Callback]:
    """New callbacks with their defaults.

    Args:
        names: keys of ``CALLBACKS``, or ``"all"``.
        snd_observations: see :class:`SndCallback`.

    Raises:
        ValueError: for an unknown name, with the known ones.
    """
    chosen = list(CALLBACKS) if names == "all" else names
    if unknown := set(chosen) - CALLBACKS.keys():
        raise ValueError(
            f"unknown callback {', '.join(sorted(unknown))}; the known ones are "
            f"{', '.join(CALLBACKS)}, or all of them: callbacks=all"
        )
    settings: dict[str, dict[str, Any]] = {"snd": {"observations": snd_observations}}
    return [CALLBACKS[name](**settings.get(name, {})) for name in chosen]


def principal_axes(rows: Tensor) -> Tensor:
    """The two directions in which rows ``[n, d]`` differ most, as orthonormal columns ``[d, 2]``.

    Where there are fewer such directions, the missing columns are zero.
    """
    _, _, directions = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    axes = rows.new_zeros(rows.shape[1], 2)
    axes[:, : len(directions[:2])] = directions[:2].T
    return axes
