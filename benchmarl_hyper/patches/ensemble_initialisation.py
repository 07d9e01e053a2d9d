"""Keep the initialisation of our critics in the ensembles of torchrl's losses.

``LossModule.convert_to_functional`` copies a critic ``expand_dim`` times (SAC's Q-networks) and
refills every parameter uniformly between its minimum and maximum. This destroys any structured
initialisation, and no option prevents it, so the method is wrapped. Losses without one of our
models are not affected. Delete this module on the day that torchrl calls ``reset_parameters`` of
modules that have it.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordict.nn import TensorDictModuleBase
from torchrl.objectives import LossModule

from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp
from benchmarl_hyper.patches.wrapping import wrap_once


def wrap_ensembles() -> None:
    """Wrap ``LossModule.convert_to_functional``; a second call has no effect."""
    wrap_once(LossModule, "convert_to_functional", _with_initialisation)


def initialise_ensemble(loss: LossModule, module_name: str) -> None:
    """Draw a fresh initialisation of our models for each member of an ensemble, in place.

    Args:
        loss: a loss with ``<module_name>_params`` of batch size ``[members]``. If it has delayed
            targets, ``target_<module_name>_params``, these are made equal.
        module_name: name of the ensemble in the loss.
    """
    module = getattr(loss, module_name)
    params = getattr(loss, f"{module_name}_params").data
    for member in params.unbind(0):
        with member.to_module(module):
            for model in module.modules():
                if isinstance(model, GeneratedMlp):
                    model.reset_parameters()
    target = dict(loss.named_children()).get(f"target_{module_name}_params")
    if target is not None:
        target.data.update_(params)


def _with_initialisation(method: Callable) -> Callable:
    def convert_to_functional(
        self: LossModule,
        module: TensorDictModuleBase,
        module_name: str,
        expand_dim: int | None = None,
        *args,
        **kwargs,
    ) -> None:
        method(self, module, module_name, expand_dim, *args, **kwargs)
        if expand_dim and _has_our_model(module):
            initialise_ensemble(self, module_name)

    return convert_to_functional


def _has_our_model(module: object) -> bool:
    return isinstance(module, TensorDictModuleBase) and any(
        isinstance(part, GeneratedMlp) for part in module.modules()
    )
