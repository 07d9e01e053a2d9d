"""A loss may ask for several optimiser steps where BenchMARL takes one."""

import inspect

import pytest
from benchmarl.algorithms.common import Algorithm
from benchmarl.experiment import Experiment
from support.experiments import experiment


@pytest.mark.parametrize("n_steps", [None, 1, 3])
def test_steps_are_taken_and_logged_in_order(n_steps, tmp_path):
    run = experiment(tmp_path, "fups", max_n_iters=1)
    if n_steps is not None:
        run.losses["agents"].steps_per_call = n_steps
    batch = next(iter(run.collector))
    group_batch = run.algorithm.process_batch("agents", batch).reshape(-1)
    run.replay_buffers["agents"].extend(group_batch)
    before = [p.detach().clone() for p in run.losses["agents"].actor_network_params.parameters()]
    logged = run._optimizer_loop("agents")
    after = list(run.losses["agents"].actor_network_params.parameters())
    assert any((old != new).any() for old, new in zip(before, after, strict=True))
    assert logged.batch_size == ((3,) if n_steps == 3 else ())
    if n_steps == 3:  # each step has a loss of its own
        assert len(logged["loss_objective"].unique()) > 1
    run.close()


def test_benchmarl_still_asks_the_settings_alone():
    """The reason for the patch. When this fails, ask there, and delete the patch."""
    assert not [name for name in dir(Algorithm) if "step" in name or "epoch" in name]
    source = inspect.getsource(Experiment._collection_loop)
    assert "range(self.config.n_optimizer_steps(self.on_policy))" in source
    assert "training_tds.append(self._optimizer_loop(group))" in source
