"""Critics that learn normalised returns, as in MAPPO's and HARL's code."""

from __future__ import annotations

from typing import Any

import torch
from benchmarl.algorithms.common import Algorithm
from tensordict import TensorDictBase
from torch import Tensor, nn
from torchrl.objectives import LossModule

DECAY = 0.99999  # per batch; HARL has it per minibatch
SMALLEST_VARIANCE = 1e-2  # as in HARL


class ReturnMoments(nn.Module):
    """Running mean and standard deviation of returns, in buffers that checkpoints hold.

    Batches count by ``DECAY`` to the power of their age. Weights add up to 1 from the first batch
    on (they are debiased).
    """

    mean: Tensor
    square: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("mean", "square", "weight"):
            # The variance is a difference of two large numbers
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    def update(self, returns: Tensor) -> None:
        """Take a batch of returns into account."""
        x = returns.to(self.mean)
        for moment, new in ((self.mean, x.mean()), (self.square, x.square().mean())):
            moment.lerp_(new, 1 - DECAY)
        self.weight.lerp_(torch.ones_like(self.weight), 1 - DECAY)

    def now(self) -> tuple[float, float]:
        """Return mean and standard deviation; 0 and 1 before the first batch."""
        if self.weight == 0:
            return 0.0, 1.0
        mean = self.mean / self.weight
        variance = self.square / self.weight - mean.square()
        return mean.item(), variance.clamp(min=SMALLEST_VARIANCE).sqrt().item()


class NormalisedValues(Algorithm):
    """A mix-in for BenchMARL's PPO whose critics can learn ``(R - mean) / std`` instead of ``R``.

    Mean and standard deviation of the returns ``R`` are tracked over training. Advantages are
    computed with values in units of the reward, ``mean + std v(o)``, before a batch changes them;
    the targets of the critics, after.

    Args:
        value_norm: whether to normalise. If not, nothing changes.
        **kwargs: the arguments of the algorithm.
    """

    def __init__(self, value_norm: bool = False, **kwargs: Any):  # older config.pkl lack it
        super().__init__(**kwargs)
        self.value_norm = value_norm

    def with_moments(self, loss: LossModule) -> LossModule:
        """Return the loss, with moments of returns if they are needed."""
        if self.value_norm:
            loss.returns = ReturnMoments().to(self.device)
        return loss

    def process_batch(self, group: str, batch: TensorDictBase) -> TensorDictBase:
        """Return the batch with advantages in units of the reward, and normalised value targets.

        Args:
            group: name of the group.
            batch: what was collected, ``[*batch]``.
        """
        if not self.value_norm:
            return super().process_batch(group, batch)
        returns: ReturnMoments = self.experiment.losses[group].returns
        advantage, target = (group, "advantage"), (group, "value_target")
        mean, std = returns.now()
        _fill(group, batch)
        key, terminated = ("next", group, "reward"), batch.get(("next", group, "terminated"))
        reward: Any = batch.get(key)
        # GAE is linear. On these rewards and normalised values, it gives A / std and normalised
        # targets: r + gamma (mean + std v') - (mean + std v) = std (shown + gamma v' - v).
        kept = self.experiment_config.gamma * mean * ~terminated
        batch.set(key, (reward - mean + kept) / std)
        batch = super().process_batch(group, batch)
        batch.set(key, reward)
        batch.set(advantage, batch.get(advantage) * std)
        whole = batch.get(target) * std + mean
        returns.update(whole)
        mean, std = returns.now()
        return batch.set(target, (whole - mean) / std)


def _fill(group: str, batch: TensorDictBase) -> None:
    """Give a group its own rewards and ends where the task has them for all groups, in place."""
    shape = (*batch.get(group).shape, 1)
    for entry in ("reward", "done", "terminated"):
        if batch.get(("next", group, entry), None) is None:
            common: Any = batch.get(("next", entry))
            batch.set(("next", group, entry), common.unsqueeze(-1).expand(shape))
