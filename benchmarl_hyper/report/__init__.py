"""Reports on finished runs, read from their files: ``python -m benchmarl_hyper.report DIR``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Loaded when they are asked for, since matplotlib and scipy take a second
MODULES = {
    "SummaryCallback": "callback",
    "in_words": "sections.summary",
    "summary": "sections.summary",
    "write": "page",
}
__all__ = ["SummaryCallback", "in_words", "summary", "write"]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
