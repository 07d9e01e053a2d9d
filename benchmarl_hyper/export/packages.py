"""The formats of exported agents and the packages that they need, known without torch."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES: dict[str, list[str]] = {
    "pt2": [],
    "safetensors": ["safetensors"],
    "onnx": ["onnx", "onnxscript"],
}


def missing_packages(name: str) -> list[str]:
    """Return the packages that a format needs and that are not installed."""
    return [package for package in PACKAGES[name] if find_spec(package) is None]
