import pytest
from benchmarl.experiment import logger as benchmarl_logger
from support.experiments import experiment
from support.tiny_task import tiny_task

from benchmarl_hyper.patches.logged_settings import wrap_logged_settings

SECRET = {"wandb_extra_kwargs": {"api_key": "abc123", "entity": "me"}}


@pytest.fixture
def loggers(monkeypatch):
    """What loggers are made with, without making one of wandb."""
    made = []

    def get_logger(logger_type, wandb_kwargs, **kwargs):
        made.append(wandb_kwargs)
        return original("csv", wandb_kwargs=wandb_kwargs, **kwargs)

    original = benchmarl_logger.get_logger
    monkeypatch.setattr(benchmarl_logger, "get_logger", get_logger)
    return made


def test_loggers_get_secrets_and_write_none(loggers, tmp_path):
    wrap_logged_settings()
    run = experiment(tmp_path, "fups", task=tiny_task, **SECRET)
    run.close()
    (given,) = loggers
    assert given["api_key"] == "abc123"
    assert given["entity"] == "me"
    assert "abc123" not in str(given["config"])
    assert run.config.wandb_extra_kwargs == SECRET["wandb_extra_kwargs"]
    (written,) = tmp_path.rglob("hparams*.txt")
    text = written.read_text(encoding="utf-8")
    assert "abc123" not in text
    assert "'entity': 'me'" in text


@pytest.mark.parametrize("name", ["__init__", "log_hparams"])
def test_benchmarl_still_needs_the_patch(name, loggers, tmp_path, monkeypatch):
    """Without it, secrets are written; if this fails, delete the module."""
    wrap_logged_settings()
    method = getattr(benchmarl_logger.Logger, name)
    monkeypatch.setattr(benchmarl_logger.Logger, name, method.__wrapped__)
    experiment(tmp_path, "fups", task=tiny_task, **SECRET).close()
    (written,) = tmp_path.rglob("hparams*.txt")
    leaks = str(loggers[0]["config"]) if name == "__init__" else written.read_text(encoding="utf-8")
    assert "abc123" in leaks
