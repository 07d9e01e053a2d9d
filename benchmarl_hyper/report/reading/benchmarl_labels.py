"""What to call a run of BenchMARL's own runner, whose results name the algorithm alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Models that share parameters or not by `experiment.share_policy_params`, so their name is not all.
BENCHMARL_MODELS = {"cnn", "deepsets", "gnn", "gru", "lstm", "mlp"}


def benchmarl_label(algorithm: str, config: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
    """``<algorithm>_<model>``, with what else tells two such runs apart.

    Args:
        algorithm: as the results have it.
        config: the run's resolved configuration.
        choices: Hydra's choices of the configuration groups.

    Returns:
        The label. BenchMARL's models are followed by ``_shared`` or ``_unshared``, and a critic of
        another model by ``_critic_<model>``. The layers of a sequence are joined by ``-``.
    """
    policy, critic = (_name(config, choices, part) for part in ("model", "critic_model"))
    shared = config.get("experiment", {}).get("share_policy_params", True)
    parts = [algorithm, policy]
    if BENCHMARL_MODELS & set(_layers(config.get("model") or {})):
        parts.append("shared" if shared else "unshared")
    if critic not in ("", policy):
        parts += ["critic", critic]
    return "_".join(filter(None, parts))


def _name(config: Mapping[str, Any], choices: Mapping[str, Any], part: str) -> str:
    """Of the chosen file, which may be a changed copy of another; of a sequence, its layers."""
    model = config.get(part) or {}
    if "layers" in model:
        return "-".join(_layers(model))
    keys = (key for key in choices if key == part or key.endswith(f"@{part}"))
    chosen = next((str(choices[key]) for key in keys if choices[key]), "")
    return chosen.rpartition("/")[2] or str(model.get("name", ""))


def _layers(model: Mapping[str, Any]) -> list[str]:
    layers = model["layers"].values() if "layers" in model else [model]
    return [str(layer.get("name", "")) for layer in layers]
