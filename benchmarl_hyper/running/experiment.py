"""BenchMARL's experiment, made to continue where it was stopped."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from benchmarl.experiment import Experiment
from benchmarl.utils import seed_everything

from benchmarl_hyper.run_files import CHECKPOINTS
from benchmarl_hyper.running.callbacks import EndCallback
from benchmarl_hyper.running.checkpoints import checkpoints_in


class ResumableExperiment(Experiment):
    """An experiment that continues from its checkpoints as if it had not been stopped.

    BenchMARL's checkpoints hold networks and buffers. Checkpoints of this class also hold the
    optimisers, and are written as a whole. Each begins a *segment*: random numbers are drawn from
    ``(seed, iteration)``, and environments start new episodes. Whether a run passes through a
    checkpoint or is loaded from it, what follows is therefore the same. Without checkpoints, the
    experiment equals BenchMARL's, number by number.

    Three kinds of run continue, but not identically: runs with ``collect_with_grad``, off-policy
    runs with ``exclude_buffer_from_checkpoint``, and runs whose environments draw from generators
    that cannot be seeded.

    There is an evaluation after the last frame, even where ``evaluation_interval`` would miss it.
    """

    _in_training = False

    def state_dict(self) -> OrderedDict:
        """Return BenchMARL's state dict, with the state of the optimisers added."""
        state = super().state_dict()
        state["optimizers"] = {
            group: {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
            for group, optimizers in self.optimizers.items()
        }
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint.

        BenchMARL's own checkpoints have no state of the optimisers, which then start afresh.
        """
        super().load_state_dict(state_dict)
        for group, optimizers in state_dict.get("optimizers", {}).items():
            for name, state in optimizers.items():
                self.optimizers[group][name].load_state_dict(state)

    def _perform_checks(self) -> None:
        super()._perform_checks()
        algorithm, critic = self.algorithm_config, self.critic_model_config
        has_critic = algorithm.has_independent_critic() or algorithm.has_centralized_critic()
        if has_critic and critic.is_rnn and not self.model_config.is_rnn:
            raise ValueError(
                f"critic_model {critic.associated_class().__name__} is recurrent, but the policy "
                "is not, and BenchMARL then does not record where episodes begin; choose a "
                "recurrent policy, for example model=layers/hypermarl_gru, or another critic, for "
                "example model@critic_model=layers/hypermarl_mlp"
            )

    def close(self) -> None:
        """Evaluate and measure what is due at the end of training, then close the environments."""
        last = self.n_iters_performed == self.config.get_max_n_iters(self.on_policy)
        if self._in_training and last:
            self._in_training = False
            self._end_training()
        super().close()

    def _collection_loop(self) -> None:
        if self.n_iters_performed:
            self._begin_segment()
        self._in_training = True
        super()._collection_loop()

    def _end_training(self) -> None:
        if self.config.evaluation and not self._evaluated():
            self._evaluation_loop()
        for callback in self.callbacks:
            if isinstance(callback, EndCallback):
                callback.on_training_end()

    def _evaluated(self) -> bool:
        first = self.n_iters_performed == 1
        return first or self.total_frames % self.config.evaluation_interval == 0

    def _save_experiment(self) -> None:
        folder = self.folder_name / CHECKPOINTS
        folder.mkdir(exist_ok=True)
        file = folder / f"checkpoint_{self.total_frames}.pt"
        unfinished = file.with_suffix(".tmp")
        torch.save(self.state_dict(), unfinished)
        os.replace(unfinished, file)
        if self.config.keep_checkpoints_num is not None:
            for old in checkpoints_in(folder)[: -self.config.keep_checkpoints_num]:
                old.unlink()
        self._begin_segment()

    def _begin_segment(self) -> None:
        seed = derived_seed(self.seed, self.n_iters_performed)
        seed_everything(seed)
        with contextlib.suppress(NotImplementedError):  # they use the generators seeded above
            self.test_env.set_seed(seed)
        if not self.config.collect_with_grad:
            with contextlib.suppress(NotImplementedError):
                self.collector.set_seed(seed)
            self.collector.reset()


def derived_seed(seed: int, *purpose: int) -> int:
    """Return a seed below ``2**31`` for one purpose of a run, for example for an iteration."""
    return int(np.random.SeedSequence([seed, *purpose]).generate_state(1)[0] >> 1)
