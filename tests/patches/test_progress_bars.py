"""BenchMARL's bars are chosen by our runner, as long as BenchMARL offers no setting for them."""

import inspect

from benchmarl.experiment import Experiment, ExperimentConfig, experiment

from benchmarl_hyper.running.bars import bar


def test_benchmarl_makes_its_bar_by_the_name_that_is_bound():
    assert experiment.tqdm is bar
    assert "pbar = tqdm(" in inspect.getsource(Experiment._collection_loop)


def test_benchmarl_has_no_setting_for_it():
    """On the day that it has one, the patch is to be deleted."""
    assert not [name for name in ExperimentConfig.__annotations__ if "bar" in name]
