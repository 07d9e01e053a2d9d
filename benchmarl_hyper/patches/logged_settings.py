"""Keep secrets out of what loggers write about settings.

BenchMARL hands all settings to every logger, and so writes an ``api_key`` in
``experiment.wandb_extra_kwargs`` to files and, as ``config``, to Weights & Biases. So the two
methods of its ``Logger`` that do this are wrapped. Delete this module on the day that BenchMARL
leaves secrets out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarl.experiment.logger import Logger

from benchmarl_hyper.patches.wrapping import wrap_once
from benchmarl_hyper.running.redaction import redacted


def wrap_logged_settings() -> None:
    """Wrap BenchMARL's logger; a second call has no effect. Loggers still log in with secrets."""
    wrap_once(Logger, "__init__", _with_redacted_config)
    wrap_once(Logger, "log_hparams", _with_redacted_values)


def _with_redacted_config(method: Callable[..., None]) -> Callable[..., None]:
    def begin(self: Logger, *args: Any, **kwargs: Any) -> None:
        extra = kwargs.get("wandb_extra_kwargs") or {}
        if "config" in extra:
            kwargs["wandb_extra_kwargs"] = {**extra, "config": redacted(extra["config"])}
        method(self, *args, **kwargs)

    return begin


def _with_redacted_values(method: Callable[..., None]) -> Callable[..., None]:
    def log_hparams(self: Logger, **kwargs: Any) -> None:
        method(self, **redacted(kwargs))

    return log_hparams
