"""Parts of BenchMARL's experiments that are not offered by name."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarl.experiment import Experiment
from benchmarl.models.common import Model
from tensordict.nn import TensorDictParams
from tensordict.utils import NestedKey
from torch import Tensor, nn
from torchrl.objectives import LossModule


def buffers(loss: LossModule, name: str) -> Iterator[tuple[TensorDictParams, NestedKey]]:
    """All buffers of a name in a loss: in networks, ensembles and targets.

    Args:
        loss: whose parameters and buffers are looked through.
        name: the last part of the buffers' keys.

    Returns:
        Those that hold one, and its key.
    """
    for params in loss.children():
        if isinstance(params, TensorDictParams):
            yield from ((params, key) for key in params.keys(True, True) if key[-1] == name)


def write_buffers(loss: LossModule, name: str, value: Tensor) -> None:
    """Write to all of these, in place.

    Args:
        loss: see :func:`buffers`.
        name: see :func:`buffers`.
        value: of the shape of the buffer in one network.
    """
    for params, key in buffers(loss, name):
        params[key].data.copy_(value)


def policy_model(policy: nn.Module) -> Model:
    """The model in a policy; of a sequence, the sequence."""
    return next(module for module in policy.modules() if isinstance(module, Model))


def policy_name(loss: LossModule) -> str:
    """The name of the policy's parameters in the loss of one of BenchMARL's algorithms."""
    parts = dict(loss.named_children())
    known = ("actor_network_params", "local_value_network_params", "value_network_params")
    return next(name for name in known if name in parts)  # the latter two in Q-learning


def refresh_collector(experiment: Experiment) -> None:
    """Send policies that were changed in place to a collector that has a copy of them."""
    if not experiment.config.collect_with_grad:
        experiment.collector.update_policy_weights_()
