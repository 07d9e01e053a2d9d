"""What a run prints goes to its log, and to the terminal what a user can act on."""

import logging
import sys
import warnings

import pytest
from benchmarl.experiment import experiment, logger
from torchrl import logger as torchrl_logger

from benchmarl_hyper.run_files import LOG
from benchmarl_hyper.running.output import KNOWN, logged


@pytest.fixture
def folders(tmp_path):
    paths = [tmp_path / "seed_0", tmp_path / "seed_1"]
    for path in paths:
        path.mkdir()
    return paths


@pytest.fixture
def shown(monkeypatch):
    """Warnings are written as Python does; pytest would collect them."""

    def write(message, category, filename, lineno, file=None, line=None):
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        monkeypatch.setattr(warnings, "showwarning", write)
        yield


def logs(folders):
    return [(folder / LOG).read_text(encoding="utf-8") for folder in folders]


@pytest.mark.parametrize("alone", [True, False])
def test_prints_go_to_the_logs_and_from_single_runs_to_the_terminal(folders, alone, capsys):
    with logged(folders, alone):
        print("cluster 1")
    assert logs(folders) == ["cluster 1\n"] * 2
    assert capsys.readouterr().out == ("cluster 1\n" if alone else "")


@pytest.mark.parametrize("alone", [True, False])
def test_warnings_are_shown_and_logged(folders, alone, shown, capsys):
    with logged(folders, alone):
        warnings.warn("the disk is slow", stacklevel=1)
    assert "UserWarning: the disk is slow" in capsys.readouterr().err
    assert all("UserWarning: the disk is slow" in log for log in logs(folders))


@pytest.mark.parametrize("message", KNOWN)
def test_known_warnings_of_others_are_not_shown(folders, message, shown, capsys):
    with logged(folders, alone=True):
        warnings.warn(f"{message} and so on", stacklevel=1)
    assert not capsys.readouterr().err
    warnings.warn(f"{message} and so on", stacklevel=1)
    assert message in capsys.readouterr().err  # outside, everything is shown


@pytest.mark.parametrize(
    ("message", "module", "text"),
    [
        (KNOWN[0], logger, KNOWN[0]),
        (KNOWN[1], experiment, "SyncDataCollector("),
    ],
)
def test_known_warnings_are_still_given(message, module, text):
    """What BenchMARL no longer has is to be taken out of the list."""
    assert message in KNOWN
    with open(module.__file__, encoding="utf-8") as file:
        assert text in file.read()


def test_torchrl_logs_warnings_alone(folders):
    before = torchrl_logger.level
    with logged(folders, alone=True):
        assert not torchrl_logger.isEnabledFor(logging.INFO)
        assert torchrl_logger.isEnabledFor(logging.WARNING)
    assert torchrl_logger.level == before


def test_the_streams_come_back_after_an_error(folders):
    before = sys.stdout, sys.stderr
    with pytest.raises(ValueError, match="no"), logged(folders, alone=False):
        raise ValueError("no")
    assert (sys.stdout, sys.stderr) == before


def test_a_log_that_cannot_be_written_does_not_end_a_run(tmp_path):
    with logged([tmp_path / "removed"], alone=False):
        print("cluster 1")
    assert not list(tmp_path.iterdir())
