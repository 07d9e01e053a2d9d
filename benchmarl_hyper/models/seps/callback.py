"""The clustering of SePS, between two iterations of training."""

from __future__ import annotations

from collections import defaultdict
from importlib.util import find_spec
from typing import Any

import torch
from benchmarl.experiment import Experiment
from tensordict import TensorDictBase
from torch import Tensor
from torch.nn.functional import one_hot
from torchrl.data import Categorical
from torchrl.objectives import LossModule

from benchmarl_hyper.models.common.method_callback import MethodCallback
from benchmarl_hyper.models.seps.clustering import Transitions, agent_codes, clusters
from benchmarl_hyper.models.seps.model import Seps
from benchmarl_hyper.running.experiment_parts import buffers, write_buffers


class SepsCallback(MethodCallback):
    """Cluster the agents of every group by their transitions, once, for ``seps`` models.

    Until ``pretraining_frames`` are collected, all agents train network 0. Then, after the training
    steps of an iteration and before the next collection, the clusters are written in place to
    policy and critic, and to the copies of both in ensembles and targets. Checkpoints contain them.
    A policy with ``groups`` keeps these as clusters, and its critic gets the same.

    Args:
        pretraining_frames: number of environment steps to collect before clustering.
        latent_dim: length of an agent's code; see
            :func:`~benchmarl_hyper.models.seps.clustering.agent_codes`.
        epochs: number of passes over the transitions.
        batch_size: number of transitions per optimiser step.
        lr: Adam's learning rate.
        kl_weight: weight of the Kullback-Leibler divergence in the loss.
    """

    def __init__(
        self,
        pretraining_frames: int,
        latent_dim: int,
        epochs: int,
        batch_size: int,
        lr: float,
        kl_weight: float,
    ):
        super().__init__()
        self.pretraining_frames = pretraining_frames
        self.settings: dict[str, Any] = {
            "latent_dim": latent_dim,
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "kl_weight": kl_weight,
        }
        self.gathered: dict[str, list[Transitions]] = defaultdict(list)
        self.clustered: set[str] = set()

    def on_setup(self) -> None:
        """Write given clusters to the critic, and check that other groups can be clustered.

        Raises:
            ValueError: if a group cannot be clustered in this run, or if its critic has fewer
                networks than its policy.
            ImportError: if scikit-learn is needed and not installed.
        """
        for group, model in self.policy_models(Seps).items():
            loss = self.experiment.losses[group]
            _check_networks(loss, group, model.n_networks)
            if model.groups is not None:
                write_buffers(loss, "cluster", model.generator.cluster)
                self.clustered.add(group)
            elif model.n_networks == 1:
                self.clustered.add(group)
            else:
                self._check_can_cluster(group, model)

    def on_batch_collected(self, batch: TensorDictBase) -> None:
        """Store the transitions of groups that have no clusters yet."""
        for group in self.policy_models(Seps):
            if group not in self.clustered:
                self.gathered[group].append(transitions(self.experiment, batch, group))

    def on_train_end(self, training_td: TensorDictBase, group: str) -> None:
        """Cluster the agents of a group, once there are enough frames.

        BenchMARL sends the weights to the collector right after this.
        """
        run = self.experiment
        if group not in self.gathered or run.total_frames < self.pretraining_frames:
            return
        model = self.policy_models(Seps)[group]
        agent, given, followed = zip(*self.gathered.pop(group), strict=True)
        steps = Transitions(torch.cat(agent), torch.cat(given), torch.cat(followed))
        with torch.random.fork_rng(), torch.enable_grad():
            codes = agent_codes(steps, model.n_agents, **self.settings)
        cluster = clusters(codes, model.k, model.n_networks, run.seed)
        write_buffers(run.losses[group], "cluster", cluster)
        self.clustered.add(group)
        print(f"\nSePS: clusters of group '{group}' are {cluster.tolist()}")

    def on_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the transitions that are stored so far to a checkpoint."""
        gathered = {group: [tuple(t) for t in steps] for group, steps in self.gathered.items()}
        state_dict["seps"] = {"gathered": gathered, "clustered": sorted(self.clustered)}

    def on_load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore stored transitions from a checkpoint; clusters come with the parameters."""
        state = state_dict["seps"]
        self.clustered = set(state["clustered"])
        for group, steps in state["gathered"].items():
            self.gathered[group] = [Transitions(*tensors) for tensors in steps]

    def _check_can_cluster(self, group: str, model: Seps) -> None:
        run, n_agents = self.experiment, model.n_agents
        if model.k is None and n_agents < 3:
            raise ValueError(
                f"group '{group}' has {n_agents} agents, but choosing the number of clusters "
                "takes 3; set model.n_networks or model.groups"
            )
        n_frames = run.config.get_max_n_frames(run.on_policy)
        if self.pretraining_frames >= n_frames:
            raise ValueError(
                f"pretraining_frames={self.pretraining_frames} leaves none of the run's {n_frames} "
                "frames for training with clusters; set a smaller method.pretraining_frames, or "
                "list the clusters in model.groups"
            )
        if find_spec("sklearn") is None:
            raise ImportError(
                "SePS needs scikit-learn to cluster agents; run pip install "
                "'benchmarl-hyper[seps]', or list the clusters in model.groups"
            )


def transitions(run: Experiment, batch: TensorDictBase, group: str) -> Transitions:
    """Return the transitions of each agent of a group in a collected batch.

    At the end of an episode, the next observation is the last one of that episode, and not the
    first one of the next episode.

    Args:
        run: the experiment that collected the batch.
        batch: what was collected, ``[*batch]``.
        group: name of the group.
    """
    n_dims, n_agents = batch.batch_dims, len(run.group_map[group])
    spec = run.action_spec[group, "action"]
    action = batch[group, "action"]
    if isinstance(spec, Categorical):
        action = one_hot(action, spec.space.n)
    reward = batch.get(("next", group, "reward"), None)
    if reward is None:  # the agents share one reward
        reward = batch["next", "reward"].unsqueeze(-2).expand(*batch.shape, n_agents, 1)
    seen = list(run.observation_spec[group].keys(True, True))

    def rows(root: TensorDictBase, *tensors: Tensor) -> Tensor:
        parts = [root[group].get(key) for key in seen] + list(tensors)
        return torch.cat(
            [p.flatten(n_dims + 1).flatten(0, n_dims).cpu().float() for p in parts], -1
        )

    agent = torch.arange(n_agents).expand(*batch.shape, n_agents).flatten()
    return Transitions(agent, rows(batch, action), rows(batch["next"], reward))


def _check_networks(loss: LossModule, group: str, n_networks: int) -> None:
    for params, key in buffers(loss, "cluster"):
        rows = params[(*key[:-1], "0", "weight")].shape[-3]
        if rows < n_networks:
            raise ValueError(
                f"the critic of group '{group}' has {rows} networks, fewer than the {n_networks} "
                f"of its policy; set critic_model.n_networks={n_networks}"
            )
