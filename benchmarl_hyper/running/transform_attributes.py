"""Attributes of users' own transforms, which the state dicts of torch do not have."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only
from torchrl.data import TensorSpec
from torchrl.envs import EnvBase
from torchrl.envs.transforms import Transform

_ARRAY = "numpy"  # key of an array, as a tensor
_NUMPY = (np.ndarray, np.generic)
_PLAIN = (bool, int, float, str, Tensor, *_NUMPY)
_CONSTANT = (nn.Module, TensorSpec, EnvBase, type, torch.dtype, torch.device)


def attributes(transform: Transform) -> dict[str, dict[str, Any]]:
    """Return the plain attributes of own transforms: numbers, text, tensors, arrays, containers.

    Args:
        transform: a transform; those of torchrl in it have their state in their state dict.

    Returns:
        Values by name of the attribute, by path of the transform.
    """
    return {
        path: {name: _encoded(value) for name, value in own if _is_plain(value)}
        for path, own in _own(transform)
    }


def load_attributes(transform: Transform, saved: Mapping[str, Mapping[str, Any]]) -> None:
    """Restore what :func:`attributes` returned for a transform of the same kind."""
    modules = dict(transform.named_modules())
    for path, values in saved.items():
        for name, value in values.items():
            setattr(modules[path], name, _decoded(value))


def fingerprints(transform: Transform) -> dict[tuple[str, str], bytes]:
    """Return pickles of all other attributes of own transforms, to see whether they change."""
    return {
        (type(dict(transform.named_modules())[path]).__name__, name): pickled
        for path, own in _own(transform)
        for name, value in own
        if not _is_plain(value) and (pickled := _pickled(value)) is not None
    }


def _own(transform: Transform) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    common = vars(Transform(in_keys=[])).keys()
    for path, module in transform.named_modules():
        theirs = type(module).__module__.split(".")[0] in ("torchrl", "torch", "tensordict")
        if isinstance(module, Transform) and not theirs:
            yield path, [(k, v) for k, v in vars(module).items() if k not in common]


def _is_plain(value: Any) -> bool:
    parts = tree_leaves(value, is_leaf=lambda part: type(part) not in (dict, list, tuple))
    return all(part is None or isinstance(part, _PLAIN) for part in parts)


def _encoded(value: Any) -> Any:
    """Return a plain value in types that torch loads without trusting the file."""
    return tree_map_only(_NUMPY, lambda array: {_ARRAY: torch.as_tensor(array)}, value)


def _decoded(value: Any) -> Any:
    def is_array(part: Any) -> bool:
        return isinstance(part, dict) and part.keys() == {_ARRAY}

    def decoded(part: Any) -> Any:
        return part[_ARRAY].numpy()[()] if is_array(part) else part  # a number, if 0-dimensional

    return tree_map(decoded, value, is_leaf=is_array)


def _pickled(value: Any) -> bytes | None:
    if isinstance(value, _CONSTANT) or callable(value):
        return None
    try:
        return pickle.dumps(value)
    except Exception:  # locks, handles and the like
        return None
