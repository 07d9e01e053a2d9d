"""What the files of a run must hold. Whoever uses a run after it was read may rely on it."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# Sums and squares of numbers up to this one are finite. No float32 comes near it.
MOST = 1e100
MOST_FRAMES = 2**53  # above it, floats no longer tell whole numbers apart
LONGEST_NAME = 200


class Rule(NamedTuple):
    """A form of values: in words, for messages, and as a test."""

    words: str
    holds: Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number whose square is finite, too."""
    return isinstance(value, (int, float)) and -MOST <= value <= MOST


def _is_count(value: Any) -> bool:
    whole = isinstance(value, (int, float)) and not isinstance(value, bool)
    return whole and 0 <= value <= MOST_FRAMES and value == int(value)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME


def optional(rule: Rule) -> Rule:
    """Return the rule that also allows null, and so a missing value."""
    return Rule(f"{rule.words}, or null", lambda value: value is None or rule.holds(value))


def mapping(rule: Rule) -> Rule:
    """Return the rule of mappings from names to values that follow a rule."""
    return Rule(
        f"a mapping from names to {rule.words}",
        lambda value: (
            isinstance(value, Mapping)
            and all(_is_name(key) and rule.holds(one) for key, one in value.items())
        ),
    )


ANYTHING = Rule("values", lambda value: True)
TEXT = Rule("text", lambda value: isinstance(value, str))
NAME = Rule(f"1 to {LONGEST_NAME} printable characters", _is_name)
COUNT = Rule(f"a whole number from 0 to {MOST_FRAMES}", _is_count)
PLAIN = Rule("short text or numbers", lambda v: v is None or is_number(v) or _is_short(v))
SECTION = optional(mapping(ANYTHING))
MODEL = Rule(
    "a mapping, whose `layers` are mappings if it has any",
    lambda v: (
        SECTION.holds(v) and (not v or "layers" not in v or mapping(SECTION).holds(v["layers"]))
    ),
)

# Of run.json. The runner writes more than what reports use.
RECORD = {
    "status": NAME,
    "label": NAME,
    "error": optional(TEXT),
    "frames": optional(COUNT),
    "max_frames": optional(COUNT),
    "absolute_frames": optional(COUNT),
    "wall_time_s": optional(
        Rule("seconds from 0 to 1e12", lambda v: is_number(v) and 0 <= v < 1e12)
    ),
    "parameters": optional(mapping(mapping(COUNT))),
    "machine": optional(mapping(PLAIN)),
    "versions": optional(mapping(PLAIN)),
    "commit": optional(PLAIN),
}
# Of config.yaml
SETTINGS = dict.fromkeys(("experiment", "algorithm", "task"), SECTION) | dict.fromkeys(
    ("model", "critic_model"), MODEL
)
# Of a line of diagnostics.jsonl, which also has a value or a matrix
ENTRY = {"frames": COUNT, "group": NAME, "name": NAME}


def check(values: Mapping[str, Any], rules: Mapping[str, Rule], where: str) -> None:
    """Check values by their rules; a missing value is null.

    Raises:
        ValueError: if a value breaks its rule. The message names the key, the value and the rule.
    """
    for key, rule in rules.items():
        check_one(values.get(key), rule, f"{key} of {where}")


def check_one(value: Any, rule: Rule, name: str) -> None:
    """Check one value.

    Raises:
        ValueError: if it breaks the rule.
    """
    if not rule.holds(value):
        raise ValueError(f"{name} is {reprlib.repr(value)}, need {rule.words}")
