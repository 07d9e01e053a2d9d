"""Labels for runs of BenchMARL's own runner, whose results name only the algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# `experiment.share_policy_params` decides whether these models share; their names do not show it
BENCHMARL_MODELS = {"cnn", "deepsets", "gnn", "gru", "lstm", "mlp"}


def benchmarl_label(algorithm: str, config: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
    """Return a label for a run: ``<algorithm>_<model>``, and what else distinguishes such runs.

    Args:
        algorithm: the algorithm's name in the results.
        config: the run's resolved configuration.
        choices: what Hydra has chosen for each configuration group.

    Returns:
        The label. BenchMARL's models add ``_shared`` or ``_unshared``, and a critic with another
        model adds ``_critic_<model>``. The layers of a sequence are joined by ``-``.
    """
    policy, critic = (_name(config, choices, part) for part in ("model", "critic_model"))
    shared = (config.get("experiment") or {}).get("share_policy_params", True)
    parts = [algorithm, policy]
    if BENCHMARL_MODELS & set(_layers(config.get("model") or {})):
        parts.append("shared" if shared else "unshared")
    if critic not in ("", policy):
        parts += ["critic", critic]
    return "_".join(filter(None, parts))


def _name(config: Mapping[str, Any], choices: Mapping[str, Any], part: str) -> str:
    """Return the name of the chosen file, or the layers of a sequence.

    A file may be a changed copy of a model's file, so its name can say more than the model's.
    """
    model = config.get(part) or {}
    if "layers" in model:
        return "-".join(_layers(model))
    keys = (key for key in choices if key == part or key.endswith(f"@{part}"))
    chosen = next((str(choices[key]) for key in keys if choices[key]), "")
    return chosen.rpartition("/")[2] or str(model.get("name", ""))


def _layers(model: Mapping[str, Any]) -> list[str]:
    layers = model["layers"].values() if "layers" in model else [model]
    return [str((layer or {}).get("name", "")) for layer in layers]
