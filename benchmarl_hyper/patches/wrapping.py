"""How a method of somebody else's class is wrapped."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

MARK = "_benchmarl_hyper"


def wrap_once(cls: type, name: str, make: Callable[[Callable], Callable]) -> None:
    """Replace a method by ``make(method)`` in the class that defines it, unless that was done.

    Args:
        cls: the class, or one that inherits the method.
        name: the method's name.
        make: takes the method and returns what replaces it.
    """
    owner: Any = next(parent for parent in cls.__mro__ if name in vars(parent))
    original = vars(owner)[name]
    if not hasattr(original, MARK):
        wrapped = wraps(original)(make(original))
        setattr(wrapped, MARK, True)
        setattr(owner, name, wrapped)
