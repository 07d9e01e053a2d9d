"""BenchMARL's runner with variants: ``python -m benchmarl_hyper.run``.

Everything that ``python -m benchmarl.run`` takes, and ``variant=<name>``, which chooses the models
of policy and critic and the flags of the algorithm that they need::

    python -m benchmarl_hyper.run -m algorithm=ippo task=vmas/navigation variant=nops,hypermarl_mlp
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import hydra
import torch
from benchmarl.hydra_config import load_experiment_from_hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from benchmarl_hyper.callbacks import VariantLabelCallback, callbacks_named
from benchmarl_hyper.registry import model_config


def with_sharing_flags(cfg: DictConfig, overrides: Sequence[str] = ()) -> DictConfig:
    """Set the variant's flags where the algorithm has them and the command line does not.

    Args:
        cfg: the composed configuration, which is not changed.
        overrides: the command line's, for example ``algorithm.share_param_critic=True``.
    """
    typed = {override.lstrip("+").partition("=")[0] for override in overrides}
    flags = {
        key: value
        for key, value in cfg.sharing.items()
        if key in cfg.algorithm and f"algorithm.{key}" not in typed
    }
    return cast(DictConfig, OmegaConf.merge(cfg, {"algorithm": flags}))


@hydra.main(version_base=None, config_path="pkg://benchmarl_hyper.conf", config_name="run")
def main(cfg: DictConfig) -> None:
    """Run one experiment in Hydra's output folder."""
    hydra_config = HydraConfig.get()
    choices = OmegaConf.create(hydra_config.runtime.choices)
    for part in (cfg.model, cfg.critic_model):
        if "name" in part:  # sequences have layers instead
            model_config(part.name)
    torch.set_num_threads(cfg.num_threads)
    print(f"\nAlgorithm: {choices.algorithm}, Task: {choices.task}, Variant: {choices.variant}")
    experiment = load_experiment_from_hydra(
        with_sharing_flags(cfg, hydra_config.overrides.task),
        task_name=choices.task,
        callbacks=[
            VariantLabelCallback(choices.variant),
            *callbacks_named(cfg.callbacks, cfg.snd_observations),
        ],
    )
    experiment.run()


if __name__ == "__main__":
    main()
