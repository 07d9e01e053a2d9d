"""Reads what classes say about their arguments, in Google's style."""

import inspect
import re


def arguments(documented: type) -> dict[str, str]:
    """Return the meaning of each argument of a class, by its name.

    The class and its bases say it under ``Args:``; the nearest class that names an argument counts.
    """
    meanings: dict[str, str] = {}
    for each in reversed(documented.__mro__):
        meanings |= _entries(each.__dict__.get("__doc__") or "")
    return meanings


def _entries(docstring: str) -> dict[str, str]:
    """Return the entries of the section ``Args:`` of a docstring, each as one line."""
    section = re.search(r"^Args:\n((?:(?: .*)?\n)*)", inspect.cleandoc(docstring) + "\n", re.M)
    text = inspect.cleandoc(section[1]) if section else ""
    entries = re.findall(r"^(\w+)(?: \(.*?\))?: (.*(?:\n .*)*)", text, re.M)
    return {name: " ".join(meaning.split()) for name, meaning in entries}
