"""A tiny task with a global state, for continuous and discrete actions."""

import torch
from benchmarl.environments.common import TaskClass
from tensordict import TensorDict
from torchrl.data import Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

N_AGENTS, HORIZON = 2, 4


class TinyEnv(EnvBase):
    """Agents are rewarded for actions near their place in the team."""

    def __init__(self, num_envs, continuous, seed, device):
        super().__init__(device=device, batch_size=[num_envs])
        shape = (num_envs, N_AGENTS)
        action = (
            Bounded(-1, 1, (*shape, 1), device=device)
            if continuous
            else Categorical(3, shape, device=device)
        )
        self.observation_spec = Composite(
            agents=Composite(observation=Unbounded((*shape, 3), device=device), shape=shape),
            state=Unbounded((num_envs, 5), device=device),
            shape=[num_envs],
        )
        self.action_spec = Composite(agents=Composite(action=action, shape=shape), shape=[num_envs])
        self.reward_spec = Composite(
            agents=Composite(reward=Unbounded((*shape, 1), device=device), shape=shape),
            shape=[num_envs],
        )
        self.set_seed(seed or 0)

    def _set_seed(self, seed):
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def _observe(self):
        return {
            "agents": TensorDict(
                {"observation": self._random(N_AGENTS, 3)}, (*self.batch_size, N_AGENTS)
            ),
            "state": self._random(5),
            "done": (self.steps >= HORIZON).unsqueeze(-1),
        }

    def _random(self, *shape):
        return torch.rand(*self.batch_size, *shape, generator=self.generator, device=self.device)

    def _reset(self, tensordict):
        zeros = torch.zeros(self.batch_size, dtype=torch.long, device=self.device)
        if tensordict is None or "_reset" not in tensordict:
            self.steps = zeros
        else:
            self.steps = torch.where(tensordict["_reset"].squeeze(-1), zeros, self.steps)
        return TensorDict(self._observe(), self.batch_size, self.device)

    def _step(self, tensordict):
        self.steps = self.steps + 1
        action = tensordict["agents", "action"].float().reshape(*self.batch_size, N_AGENTS, 1)
        place = torch.arange(N_AGENTS, device=self.device).view(-1, 1)
        step = TensorDict(self._observe(), self.batch_size, self.device)
        step["agents", "reward"] = -(action - place).abs()
        return step


class TinyTask(TaskClass):
    """The environment as a BenchMARL task."""

    def get_env_fun(self, num_envs, continuous_actions, seed, device):
        return lambda: TinyEnv(num_envs, continuous_actions, seed, device)

    def supports_continuous_actions(self):
        return True

    def supports_discrete_actions(self):
        return True

    def max_steps(self, env):
        return HORIZON

    def has_render(self, env):
        return False

    def group_map(self, env):
        return {"agents": [f"agent_{i}" for i in range(N_AGENTS)]}

    def observation_spec(self, env):
        return Composite(agents=env.full_observation_spec_unbatched["agents"].clone())

    def state_spec(self, env):
        return Composite(state=env.full_observation_spec_unbatched["state"].clone())

    def action_spec(self, env):
        return env.full_action_spec_unbatched

    def info_spec(self, env):
        return None

    def action_mask_spec(self, env):
        return None

    @staticmethod
    def env_name():
        return "tiny"


def tiny_task():
    return TinyTask("place", {})
