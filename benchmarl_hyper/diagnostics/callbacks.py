"""BenchMARL callbacks: each gathers data, calls a pure function and logs the result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from benchmarl.experiment import Callback
from tensordict import TensorDictBase
from torch import Tensor

from benchmarl_hyper.diagnostics.fitting import DiagnosticCallback, MisfitError
from benchmarl_hyper.diagnostics.observations import load
from benchmarl_hyper.diagnostics.policy_gradients import gradient_measures
from benchmarl_hyper.diagnostics.policy_outputs import group_distances, policy_keys, thinned
from benchmarl_hyper.diagnostics.step_sizes import StepSizesCallback
from benchmarl_hyper.measures.diversity import snd
from benchmarl_hyper.measures.gradients import cosine_similarities
from benchmarl_hyper.running.recording import log_scalars, record_matrix
from benchmarl_hyper.terminal import nearest
from benchmarl_hyper.weights.embedding import AgentEmbedding


class SndCallback(DiagnosticCallback):
    """Log System Neural Diversity (SND) of every group at every evaluation.

    Each agent's policy is evaluated on what all agents of its group saw in the evaluation, by
    rolling the observations along the agents. This takes ``n`` forward passes, and works for any
    decentralised policy with normal, deterministic or categorical actions. The values that are
    logged under ``eval/<group>`` depend on the policy, and no name stands for two things:

    - ``snd``: the 2-Wasserstein distance between Gaussian policies. ``snd_loc``: the same distance
      between the means alone, also for deterministic policies. Both are measured before squashing.
    - ``snd_js`` (Jensen-Shannon distance, base 2) and ``snd_tvd`` (total variation): for
      categorical policies, with or without a mask, and for the greedy policies of Q-values.

    The matrices of distances are appended to ``diagnostics.jsonl`` in the experiment's folder, one
    per line.

    Args:
        max_steps: number of the evaluation's steps that are used, evenly spaced. Recurrent policies
            are evaluated on whole episodes.
        observations: a file that ``python -m benchmarl_hyper.observations`` wrote. If there is one,
            diversity is also measured on its observations, under the same names followed by
            ``_fixed``.
    """

    def __init__(self, max_steps: int = 200, observations: str | None = None):
        super().__init__()
        self.max_steps = max_steps
        self.observations = observations
        self.fixed: TensorDictBase | None = None

    def on_setup(self) -> None:
        """Load the fixed observations, if there are any.

        Raises:
            ValueError: if they were recorded on another task, or if the policy is recurrent.
        """
        if self.observations is None:
            return
        run, self.fixed = self.experiment, load(self.observations)
        if run.algorithm.has_rnn:
            raise ValueError(
                f"observations={self.observations} cannot be used with a recurrent policy, which "
                "needs whole episodes; set snd_observations=null (in Python, observations=None)"
            )
        for group in run.group_map:
            for key in policy_keys(run.algorithm.get_policy_for_loss(group)):
                expected = run.test_env.full_observation_spec_unbatched[key].shape
                if self.fixed.get(key, torch.empty(0)).shape[1:] != expected:
                    raise ValueError(
                        f"{self.observations} has no {key} of shape {tuple(expected)}: it was "
                        "recorded on another task; record observations of this task"
                    )

    @torch.no_grad()
    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Measure diversity on the rollouts of the evaluation and on the fixed observations."""
        run = self.experiment
        episodes = [rollout.unsqueeze(0) for rollout in rollouts]  # recurrent models expect [1, T]
        recurrent = run.algorithm.has_rnn
        steps = {"": episodes if recurrent else [thinned(torch.cat(rollouts), self.max_steps)]}
        if self.fixed is not None:
            steps["_fixed"] = [self.fixed]
        for group, (suffix, batches) in product(run.group_map, steps.items()):
            if group not in self.passed_over:
                with self.fitting(group):
                    self._measure(group, suffix, batches)

    def _measure(self, group: str, suffix: str, batches: Sequence[TensorDictBase]) -> None:
        run = self.experiment
        policy = run.algorithm.get_policy_for_loss(group)
        for name, matrix in group_distances(policy, batches, group, run.config.train_device):
            log_scalars(run, "eval", group, {name + suffix: snd(matrix).item()})
            record_matrix(run, group, name + suffix, matrix)


class GradientCallback(DiagnosticCallback):
    """Log how the agents' policy gradients interfere, and how they vary, before clipping.

    Values are logged under ``train/<group>``, for the first minibatch of some iterations and for
    algorithms with a policy gradient (PPO, DDPG, SAC; also A2C, TD3 and REINFORCE, if an algorithm
    of yours uses torchrl's losses). Other algorithms are passed over, and so is HAPPO, whose agents
    share nothing and learn one at a time. The gradients are those of the policy's loss without
    entropy bonus, with respect to all parameters of the policy. BenchMARL calls back after the step
    on a minibatch, so they are taken at the parameters after that step. Where PPO has clipped every
    sample, gradients are zero and cosines are null.

    - ``gradient_conflict``: the mean cosine over pairs of agents; negative values are conflict.
      ``gradient_conflict_share``: the share of negative pairs. Without sharing, the cosines are 0,
      except with the centralised critics of MADDPG and MASAC, which see the actions of all agents.
    - ``gradient_variance_coordinates``: the paper's variance over coordinates.
      ``gradient_variance_minibatches``: noise to signal between parts of the minibatch.
    - For our models with weights per agent, the two factors that HyperMARL decouples, as means over
      agents. ``gradient_norm_generated`` is the norm of ``Z_i = dL_i / d theta_i``, the gradient at
      the weights that the agent's network runs on, where observations enter.
      ``gradient_norm_parameters`` is the norm of ``J_i Z_i = dL_i / d psi``, the gradient after the
      generator's Jacobian, where the agent's identity enters.

    The matrices of cosines and the norms per agent are appended to ``diagnostics.jsonl`` in the
    experiment's folder. Training is not disturbed: a run ends with the same parameters as one
    without this callback.

    Args:
        every: number of iterations from one measurement to the next.
        parts: number of parts of the minibatch for ``gradient_variance_minibatches``.
    """

    def __init__(self, every: int = 5, parts: int = 8):
        super().__init__()
        self.every, self.parts = every, parts
        self.measured: dict[str, int] = {}  # the last measured iteration, by group

    def on_train_step(self, batch: TensorDictBase, group: str) -> None:
        """Measure the gradients, if this is the first minibatch of an iteration to measure."""
        run = self.experiment
        iteration = run.n_iters_performed
        if iteration % self.every or self.measured.get(group) == iteration:
            return
        self.measured[group] = iteration
        if group not in self.passed_over:
            with self.fitting(group), torch.random.fork_rng(), torch.enable_grad():
                self._measure(batch, group)

    def _measure(self, batch: TensorDictBase, group: str) -> None:
        run = self.experiment
        loss, n_agents = run.losses[group], len(run.group_map[group])
        values, matrices = gradient_measures(loss, batch, n_agents, self.parts)
        for name, matrix in matrices.items():
            record_matrix(run, group, name, matrix)
        log_scalars(run, "train", group, {name: value.item() for name, value in values.items()})


class EmbeddingCallback(DiagnosticCallback):
    """Log how far apart the learned agent embeddings of a policy are, at every evaluation.

    ``eval/<group>/embedding_distance`` is the mean cosine distance over pairs of agents. It starts
    at 1 if there are no more agents than dimensions. Three matrices are appended to
    ``diagnostics.jsonl`` in the experiment's folder: these distances, the embeddings, and
    ``embedding_projection``, ``[n, 2]``. The projection is onto the two directions in which the
    embeddings differed most at the first evaluation, so points of different evaluations can be
    joined by lines. Policies without learned embeddings are passed over.
    """

    def __init__(self) -> None:
        super().__init__()
        self.axes: dict[str, Tensor] = {}  # [d, 2], by group

    @torch.no_grad()
    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Measure the embeddings of every group."""
        for group in self.experiment.group_map:
            if group not in self.passed_over:
                with self.fitting(group):
                    self._measure(group)

    def _measure(self, group: str) -> None:
        run = self.experiment
        table = self._table(group)
        axes = self.axes.setdefault(group, principal_axes(table))
        distances = 1 - cosine_similarities(table)
        log_scalars(run, "eval", group, {"embedding_distance": snd(distances).item()})
        record_matrix(run, group, "embedding_distance", distances)
        record_matrix(run, group, "embedding", table)
        record_matrix(run, group, "embedding_projection", table @ axes)

    def _table(self, group: str) -> Tensor:
        """Return the embeddings; in a sequence, those of the model nearest to the action."""
        run = self.experiment
        modules = run.algorithm.get_policy_for_loss(group).modules()
        tables = [m() for m in modules if isinstance(m, AgentEmbedding) and m.learned]
        of_all = [table for table in tables if len(table) == len(run.group_map[group])]
        if not of_all:
            raise MisfitError(
                f"no model of its policy ({run.model_name}) has learned embeddings of all agents"
            )
        return of_all[-1].cpu()

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the directions of the projection to a checkpoint."""
        state_dict["embedding_axes"] = self.axes

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the directions of the projection from a checkpoint."""
        self.axes = state_dict.get("embedding_axes", {})


CALLBACKS: dict[str, type[Callback]] = {
    "snd": SndCallback,
    "gradients": GradientCallback,
    "embeddings": EmbeddingCallback,
    "step_sizes": StepSizesCallback,
}


def callbacks_named(
    names: Sequence[str] | str, snd_observations: str | None = None
) -> list[Callback]:
    """Return new callbacks with their default settings.

    Args:
        names: keys of ``CALLBACKS``, or ``"all"``.
        snd_observations: file with fixed observations for :class:`SndCallback`; None for none.

    Raises:
        ValueError: if a name is unknown; the message lists the known ones.
    """
    chosen = list(CALLBACKS) if names == "all" else names
    if unknown := set(chosen) - CALLBACKS.keys():
        near = "".join(nearest(name, CALLBACKS) for name in sorted(unknown)[:1])
        raise ValueError(
            f"unknown callback {', '.join(sorted(unknown))}{near}; the known ones are "
            f"{', '.join(CALLBACKS)}, and callbacks=all for all of them"
        )
    settings: dict[str, dict[str, Any]] = {"snd": {"observations": snd_observations}}
    return [CALLBACKS[name](**settings.get(name, {})) for name in chosen]


def principal_axes(rows: Tensor) -> Tensor:
    """Return the two directions in which rows ``[n, d]`` differ most.

    Returns:
        Orthonormal columns ``[d, 2]``; the second column is zero if ``n`` or ``d`` is 1.
    """
    _, _, directions = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    axes = rows.new_zeros(rows.shape[1], 2)
    axes[:, : len(directions[:2])] = directions[:2].T
    return axes
