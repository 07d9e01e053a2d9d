"""BenchMARL's experiment, made to continue where it was stopped."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pickle import UnpicklingError
from typing import Any

import numpy as np
from benchmarl.experiment import Callback, Experiment, ExperimentConfig
from benchmarl.utils import seed_everything

from benchmarl_hyper.run_files import CHECKPOINTS, PICKLED
from benchmarl_hyper.running.callbacks import EndCallback
from benchmarl_hyper.running.checkpoint_files import CheckpointWriter
from benchmarl_hyper.running.checkpoint_state import StateCallback
from benchmarl_hyper.running.closing import close_loggers, close_parts
from benchmarl_hyper.running.disk_space import check_disk_space
from benchmarl_hyper.running.lean_rollout import collect_leanly
from benchmarl_hyper.running.lean_training import sample_leanly
from benchmarl_hyper.running.redaction import redacted
from benchmarl_hyper.running.rewind import position


class ResumableExperiment(Experiment):
    """An experiment that continues from its checkpoints as if it had not been stopped.

    BenchMARL's checkpoints hold networks and buffers. Checkpoints of this class also hold the
    optimisers and the state of environments' transforms, they hold only the written rows of
    buffers, and they are written as a whole and read back. After every ``checkpoint_interval``
    frames, a *segment* begins: random numbers are drawn from ``(seed, iteration)``, and
    environments start new episodes. Whether a run passes through a checkpoint or is loaded from it,
    what follows is therefore the same. Which of these checkpoints are written does not change the
    numbers either. Without checkpoints, the experiment equals BenchMARL's, number by number.

    Three kinds of run continue, but not identically: runs with ``collect_with_grad``, off-policy
    runs with ``exclude_buffer_from_checkpoint``, and runs whose environments draw from generators
    that cannot be seeded.

    There is an evaluation after the last frame, even where ``evaluation_interval`` would miss it.

    Args:
        *args: arguments of BenchMARL's experiment.
        checkpoint_share: largest share of the run's time that writing checkpoints may take, above
            0. A checkpoint is skipped if the last one was written too short a time ago; the last
            one of a run is always written. With 1, none is skipped.
        lean: whether to collect and train without fixed costs of torchrl and tensordict, wherever
            this is known to change no number.
        **kwargs: more arguments of BenchMARL's experiment.

    Raises:
        ValueError: if settings do not fit together, or if ``restore_file`` does not fit them.
    """

    config: ExperimentConfig
    _in_training = False

    def __init__(self, *args: Any, checkpoint_share: float = 1, lean: bool = True, **kwargs: Any):
        self.checkpoint_share, self.lean = checkpoint_share, lean
        try:
            super().__init__(*args, **kwargs)
        except BaseException:
            close_parts(self)
            raise

    def _setup(self) -> None:
        state = StateCallback()
        state.experiment = self
        self.callbacks: list[Callback] = [*self.callbacks, state]
        super()._setup()

    def _setup_collector(self) -> None:
        super()._setup_collector()
        if self.lean and not self.config.collect_with_grad:
            collect_leanly(self.collector)
        if self.lean:
            for buffer in self.replay_buffers.values():
                sample_leanly(buffer)

    def _setup_name(self) -> None:
        config = self.config
        extra = redacted(config.wandb_extra_kwargs)
        self.config = replace(config, wandb_extra_kwargs=extra)  # which is pickled here
        try:
            super()._setup_name()
        finally:
            self.config = config
        keep = self.config.keep_checkpoints_num
        folder = self.folder_name / CHECKPOINTS
        self._checkpoints = CheckpointWriter(folder, keep, self.checkpoint_share)
        self._folder_id = self.folder_name.stat().st_ino

    def _setup_logger(self) -> None:
        super()._setup_logger()
        log = self.logger.log

        def checked(*args: Any, **kwargs: Any) -> None:
            self._check_folder()  # the logger of CSV files would make a new one
            log(*args, **kwargs)

        self.logger.log = checked

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

    def _load_experiment(self) -> Experiment:
        try:
            return super()._load_experiment()
        except (RuntimeError, KeyError, ValueError, TypeError, UnpicklingError) as error:
            raise ValueError(
                f"the checkpoint {self.config.restore_file} does not fit this run ({error!r}); it "
                "was written with other settings, or with other versions of torch, torchrl, "
                "BenchMARL or this package. Use the ones that the folder of the run names, or "
                "move the checkpoint away, and the run starts again"
            ) from error

    def close(self) -> None:
        """Evaluate and measure what is due at the end of training, then close all that is open."""
        last = self.n_iters_performed == self.config.get_max_n_iters(self.on_policy)
        if self._in_training and last:
            self._in_training = False
            self._end_training()
        try:
            super().close()
        finally:
            close_loggers(self)

    def _collection_loop(self) -> None:
        if self.config.checkpoint_interval:
            check_disk_space(self)
        if self.n_iters_performed:
            self._begin_segment()
        self._in_training = True
        super()._collection_loop()

    def _evaluation_loop(self) -> None:
        self._check_folder()
        super()._evaluation_loop()

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
        self._check_folder()
        due = self._is_last_checkpoint() or self._checkpoints.is_due()
        if due and self._checkpoints.frames != self.total_frames:  # checkpoint_at_end comes again
            self._checkpoints.write(self._whole_state, self.total_frames)
        self._begin_segment()

    def _whole_state(self) -> dict[str, Any]:
        return {**self.state_dict(), "files": position(self.folder_name)}

    def _is_last_checkpoint(self) -> bool:
        left = self.config.get_max_n_frames(self.on_policy) - self.total_frames
        return left <= 0 or left < self.config.checkpoint_interval

    def _check_folder(self) -> None:
        """Raise an error if the folder was removed or renamed, so that nothing is lost unseen."""
        try:
            same = self.folder_name.stat().st_ino == self._folder_id
        except OSError:
            same = False
        if not same or not (self.folder_name / PICKLED).exists():  # a new folder may get the number
            raise FileNotFoundError(
                f"the folder {self.folder_name} was removed, renamed or replaced while its run was "
                "writing to it, so the run has stopped. Move the folder back, and the same command "
                "continues from the last checkpoint; without it, the run starts again"
            )

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
