"""Parts of BenchMARL's experiments that BenchMARL does not offer by name."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarl.experiment import Experiment
from benchmarl.models.common import Model
from tensordict.nn import TensorDictParams
from tensordict.utils import NestedKey
from torch import Tensor, nn
from torchrl.objectives import LossModule


def buffers(loss: LossModule, name: str) -> Iterator[tuple[TensorDictParams, NestedKey]]:
    """Yield all buffers with a given name in a loss: in networks, ensembles and targets.

    Args:
        loss: the loss to search.
        name: last part of the buffers' keys.

    Yields:
        The parameters that hold a buffer, and the buffer's key in them.
    """
    for params in loss.children():
        if isinstance(params, TensorDictParams):
            yield from ((params, key) for key in params.keys(True, True) if key[-1] == name)


def write_buffers(loss: LossModule, name: str, value: Tensor) -> None:
    """Write a value to all buffers with a given name in a loss, in place.

    Args:
        loss: the loss to search.
        name: last part of the buffers' keys.
        value: the value, in the shape of the buffer in one network.
    """
    for params, key in buffers(loss, name):
        params[key].data.copy_(value)


def policy_model(policy: nn.Module) -> Model:
    """Return the model in a policy; if it is a sequence of models, the whole sequence."""
    return next(module for module in policy.modules() if isinstance(module, Model))


def policy_name(loss: LossModule) -> str:
    """Return the name of the policy's parameters in a loss of one of BenchMARL's algorithms."""
    parts = dict(loss.named_children())
    known = ("actor_network_params", "local_value_network_params", "value_network_params")
    return next(name for name in known if name in parts)  # the last two are for Q-learning


def refresh_collector(experiment: Experiment) -> None:
    """Send policies that were changed in place to the collector, if it has a copy of them."""
    if not experiment.config.collect_with_grad:
        experiment.collector.update_policy_weights_()
