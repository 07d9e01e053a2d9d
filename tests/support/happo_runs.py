"""A team with rewards of its own per agent, and HAPPO on it, step by step."""

from dataclasses import dataclass, replace

import torch
from benchmarl.experiment import Callback
from benchmarl.models import MlpConfig
from support.experiments import experiment
from torch import nn

from benchmarl_hyper import HappoConfig
from benchmarl_hyper.algorithms.happo.actors import OwnModels
from benchmarl_hyper.tasks.base import TeamClass
from benchmarl_hyper.tasks.team_env import TeamEnv

GROUP, N, PASSES, STEPS_PER_PASS = "agents", 3, 2, 2
MLP = MlpConfig(num_cells=[8], activation_class=nn.Tanh, layer_class=nn.Linear)


class PlaceEnv(TeamEnv):
    """Each agent has a reward of its own; the last action is allowed to nobody."""

    def __init__(self, n_agents, **kwargs):
        super().__init__(
            n_agents=n_agents, n_observations=4, actions=3, horizon=4, masked=True, **kwargs
        )

    def _restart(self, mask):
        pass

    def _observe(self):
        mask = torch.tensor([True, True, False]).expand(*self.batch_size, self.n_agents, 3)
        return {"observation": self.uniform(-1, 1, self.n_agents, 4), "action_mask": mask}

    def _advance(self, action):
        return action.float() * torch.arange(1, self.n_agents + 1), None


@dataclass
class PlaceConfig:
    n_agents: int


class PlaceClass(TeamClass):
    family = "place"
    config_type = PlaceConfig

    def make_env(self, num_envs, continuous_actions, seed, device):
        return PlaceEnv(self.config["n_agents"], num_envs=num_envs, seed=seed, device=device)


def place(n_agents=N):
    return lambda: PlaceClass("PLACE", {"n_agents": n_agents})


def happo(folder, model=MLP, task=None, algorithm=None, **changes):
    return experiment(
        folder,
        model,
        replace(HappoConfig.get_from_yaml(), **(algorithm or {})),
        task or place(),
        **{"evaluation": False, "on_policy_n_minibatch_iters": PASSES, **changes},
    )


class Recorder(Callback):
    """Every optimiser step: who was to learn, and all parameters after it."""

    def __init__(self):
        super().__init__()
        self.steps, self.orders, self.training = {}, {}, {}

    def on_setup(self):
        self.config = self.experiment.config
        self.start = {group: snapshot(loss) for group, loss in self.experiment.losses.items()}

    def on_train_step(self, batch, group):
        assert self.experiment.config is self.config
        self.steps.setdefault(group, []).append(snapshot(self.experiment.losses[group]))

    def on_train_end(self, training_td, group):
        self.orders.setdefault(group, []).append(list(self.experiment.losses[group].order))
        self.training.setdefault(group, []).append(training_td.reshape(-1))  # a step each

    def __getstate__(self):
        return {**self.__dict__, "experiment": None}


def snapshot(loss):
    """Parameters of each actor, and of the critic, which comes last."""
    return [*map(tensors, own_models(loss).models), tensors(loss.critic_network_params)]


def tensors(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def own_models(loss):
    return next(part for part in loss.actor_network.modules() if isinstance(part, OwnModels))


def equal(old, new):
    return all(torch.equal(a, b) for a, b in zip(old, new, strict=True))
