"""Wrap a method of a class that belongs to another package."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

MARK = "_benchmarl_hyper"


def wrap_once(cls: type, name: str, make: Callable[[Callable], Callable]) -> None:
    """Replace a method by ``make(method)`` in the class that defines it, at most once.

    Args:
        cls: the class that defines the method, or one that inherits it.
        name: name of the method.
        make: function that takes the method and returns its replacement.
    """
    owner: Any = next(parent for parent in cls.__mro__ if name in vars(parent))
    original = vars(owner)[name]
    if not hasattr(original, MARK):
        wrapped = wraps(original)(make(original))
        setattr(wrapped, MARK, True)
        setattr(owner, name, wrapped)
