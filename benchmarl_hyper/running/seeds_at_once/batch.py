"""Training of many seeds of one setting in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from benchmarl.experiment import Callback
from tensordict import TensorDictBase
from torch.distributions import Distribution

from benchmarl_hyper.running.bars import bar
from benchmarl_hyper.running.disk_space import check_disk_space
from benchmarl_hyper.running.experiment import derived_seed
from benchmarl_hyper.running.lean_environments import can_step_leanly
from benchmarl_hyper.running.seeds_at_once.environments import SharedEnvironments
from benchmarl_hyper.running.seeds_at_once.evaluation import Evaluation
from benchmarl_hyper.running.seeds_at_once.member import SeedExperiment
from benchmarl_hyper.running.seeds_at_once.parameters import StackedParameters
from benchmarl_hyper.running.seeds_at_once.policy import SeedsPolicy
from benchmarl_hyper.running.seeds_at_once.random_numbers import Streams
from benchmarl_hyper.running.seeds_at_once.rollout import Rollout
from benchmarl_hyper.running.seeds_at_once.training import GroupTraining


class SeedBatch:
    """Trains ``S`` seeds of one setting together: what costs the same for any number is paid once.

    Environments have the rows of all seeds, seed-major. Each seed keeps its own initial networks,
    random numbers, minibatches, gradients, clipping, evaluation and files. So a seed computes what
    it would compute alone, up to the rounding of products of other sizes.

    Args:
        build: function that makes the experiment of the seed with a given number from the
            environments that all of them share. All experiments are at the same frames.
        seeds: the ``S`` seeds.

    Raises:
        ValueError: if the task masks actions, or has transforms of its environment (other than
            sums of rewards) or of what is sampled from buffers.
    """

    def __init__(
        self, build: Callable[[int, SharedEnvironments], SeedExperiment], seeds: Sequence[int]
    ):
        self.environments = SharedEnvironments(seeds)
        self.runs: list[SeedExperiment] = []
        try:
            for index in range(len(seeds)):
                self.runs.append(build(index, self.environments))
            self._setup(seeds)
        except BaseException:
            self._close()
            raise

    def _setup(self, seeds: Sequence[int]) -> None:
        first = self.runs[0]
        config = first.config
        refuse_what_depends_on_all_rows(first)
        self.streams = Streams(seeds, config.sampling_device)
        generators = self.streams.torch
        parameters = StackedParameters(self.runs)
        policy = SeedsPolicy(first, parameters, generators)
        env, self.env_streams = self.environments.training(first)
        n_steps = -(-config.collected_frames_per_batch(True) // config.n_envs_per_worker(True))
        self.rollout = Rollout(env, policy, first.policy.out_keys, n_steps, len(seeds))
        self.training = {
            group: GroupTraining(self.runs, group, parameters, generators)
            for group in first.group_map
        }
        test_env, self.test_streams = self.environments.evaluation(first)
        self.evaluation = Evaluation(self.runs, test_env, policy, self.streams, self.test_streams)

    def run(self) -> None:
        """Train until the last frame, and close all that is open."""
        try:
            with _without_validation():
                self._train()
        finally:
            self._close()

    def _train(self) -> None:
        first = self.runs[0]
        total = first.config.get_max_n_iters(True)
        for index, run in enumerate(self.runs):
            self.streams.set_seed(index, run.seed)
            if first.config.checkpoint_interval:
                check_disk_space(run)
        if first.n_iters_performed:
            self._begin_segment()
        with bar(initial=first.n_iters_performed, total=total) as shown:
            for _ in range(first.n_iters_performed, total):
                self._iterate()
                shown.set_description(refresh=False)
                shown.update()
        if first.config.checkpoint_at_end:
            self._write_checkpoints()
        if first.config.evaluation and not first._evaluated():
            self.evaluation.evaluate()
        self.evaluation.measure_best()
        for _, run in self._each():
            run.end_training()

    def _iterate(self) -> None:
        start = time.time()
        first, n_seeds = self.runs[0], len(self.runs)
        batch = self.rollout.collect()
        collecting = time.time() - start
        n_rows = len(batch) // n_seeds
        for index, run in self._each():
            run.receive(batch[index * n_rows : (index + 1) * n_rows])
        began = time.time()
        for group, training in self.training.items():
            training.begin(batch)
            values = torch.stack([self._step(group) for _ in range(self._n_steps())], 1)
            for index, run in self._each():
                run.trained(group, values[index])
        trained = time.time() - began
        if self._evaluation_is_due():
            self.evaluation.evaluate()
        whole = time.time() - start
        for run in self.runs:
            run.end_iteration(collecting / n_seeds, trained / n_seeds, whole / n_seeds)
        interval = first.config.checkpoint_interval
        if interval > 0 and first.total_frames % interval == 0:
            self._write_checkpoints()
            self._begin_segment()

    def _step(self, group: str) -> TensorDictBase:
        values, minibatch = self.training[group].step()
        if any(_hears_steps(run) for run in self.runs):
            for index, run in self._each():
                run._on_train_step(minibatch[index], group)
        return values

    def _n_steps(self) -> int:
        config = self.runs[0].config
        per_epoch = -(-config.train_batch_size(True) // config.train_minibatch_size(True))
        return config.n_optimizer_steps(True) * per_epoch

    def _evaluation_is_due(self) -> bool:
        run = self.runs[0]
        due = run.total_frames % run.config.evaluation_interval == 0 or run.n_iters_performed == 0
        recorded = len(run.config.loggers) or run.config.create_json
        return bool(run.config.evaluation and due and recorded)

    def _write_checkpoints(self) -> None:
        first = self.runs[0]
        writers = [run._checkpoints for run in self.runs]
        cost, ended = sum(w.cost for w in writers), max(w.ended for w in writers)
        due = writers[0].share == 1 or cost <= writers[0].share * (time.monotonic() - ended)
        if due or first._is_last_checkpoint():
            for training in self.training.values():
                training.prepare_checkpoint()
            for _, run in self._each():
                run.write_checkpoint()

    def _begin_segment(self) -> None:
        for index, run in enumerate(self.runs):
            seed = derived_seed(run.seed, run.n_iters_performed)
            for streams in (self.streams, self.env_streams, self.test_streams):
                streams.set_seed(index, seed)
        self.rollout.reset()

    def _each(self) -> Iterator[tuple[int, SeedExperiment]]:
        """Yield every experiment while the process draws its random numbers."""
        for index, run in enumerate(self.runs):
            with self.streams.of(index):
                yield index, run

    def _close(self) -> None:
        for run in self.runs:
            run.close()
        self.environments.close()


def refuse_what_depends_on_all_rows(run: SeedExperiment) -> None:
    """Raise a ``ValueError`` if a built experiment has parts that would mix seeds."""
    env = run.environments.training(run)[0]
    reasons = {
        "masks actions": run.action_mask_spec is not None,
        "has transforms of its environment": not can_step_leanly(env),
        "has transforms of what is sampled": any(
            len(buffer._transform) for buffer in run.replay_buffers.values()
        ),
    }
    seeds = ",".join(map(str, run.environments.seeds))
    for reason, holds in reasons.items():
        if holds:
            raise ValueError(
                f"task {run.task_name} {reason}, which is not supported for seeds at once; train "
                f"seeds one after the other, with -m seed={seeds}"
            )


def _hears_steps(run: SeedExperiment) -> bool:
    return any(type(c).on_train_step is not Callback.on_train_step for c in run.callbacks)


@contextmanager
def _without_validation() -> Iterator[None]:
    """Leave out the checks of distributions' arguments, which read values of a seed."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)
