"""Wrong command lines are answered before anything is trained, with the setting and a remedy."""

import re

import pytest
from hydra import compose, initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import open_dict
from omegaconf.errors import OmegaConfBaseException
from support.wrong_inputs import CHOICES, FILES, OFF_POLICY, ON_POLICY, RIGHT

from benchmarl_hyper.running.checks.command_line import prepare
from benchmarl_hyper.running.job import jobs

SHARE = 0.95  # of the wrong command lines that must be answered well
USUAL = {"algorithm": "ippo", "task": "vmas/balance"}


@pytest.fixture(scope="module")
def composed():
    """Compose whole command lines; those that differ in settings alone are composed once."""
    known = {}
    with initialize_config_module("benchmarl_hyper.conf", version_base=None):

        def composing(words, settings=()):
            if tuple(words) not in known:
                known[tuple(words)] = compose("run", list(words), return_hydra_config=True)
            changed = known[tuple(words)].copy()
            parsed = OverridesParser.create().parse_overrides(list(settings))
            ConfigLoaderImpl._apply_overrides_to_config(parsed, changed)
            return changed

        yield composing


@pytest.fixture
def usual(composed):
    """A configuration with settings on top of the usual choices."""
    return lambda algorithm, settings: composed(
        [f"algorithm={algorithm}", "task=vmas/balance"], settings
    )


def check(config, overrides):
    """Do what the runner does with a composed configuration before it builds an experiment."""
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    choices = HydraConfig.get().runtime.choices
    jobs(config, choices, overrides, "runs")


def answer(arguments, config, words):
    """Return the message of the first step that refuses; empty if none does."""
    try:
        prepare(arguments)
        check(config(), words)
    except (HydraException, OmegaConfBaseException, ValueError, SystemExit) as error:
        return " ".join(f"{error} {error.__cause__ or ''}".split())
    return ""


def answers_to_settings(usual):
    for algorithm, rows in (("ippo", ON_POLICY), ("masac", OFF_POLICY)):
        for line, expected in rows:
            words = line.split(" ")
            config = lambda words=words, kind=algorithm: usual(kind, words)  # noqa: E731
            yield line, expected, answer(words, config, words)


def answers_to_choices(composed):
    for line, expected in CHOICES:
        words = line.split(" ")
        yield line, expected, answer(words, lambda words=words: composed(words), words)


def answers_to_files(composed, folder):
    for number, (name, content, line, expected) in enumerate(FILES):
        place = folder / str(number)
        (place / name).parent.mkdir(parents=True)
        (place / name).write_text(content, encoding="utf-8")
        words = line.split(" ")
        words += [
            f"{k}={v}" for k, v in USUAL.items() if f"{k}=" not in f"={line}".replace("+", "=")
        ]
        found = answer(
            ["--config-dir", str(place), *words],
            lambda words=words, place=place: composed(
                [*words, f"hydra.searchpath=[file://{place}]"]
            ),
            words,
        )
        yield f"{name} {content!r} {line}", expected, found


def check_share(rows):
    missed = [
        f"{line}: {found!r}" for line, expected, found in rows if not re.search(expected, found)
    ]
    print(f"{len(missed)} of {len(rows)} are not answered well:", *missed, sep="\n")
    assert len(missed) <= (1 - SHARE) * len(rows)


def test_wrong_settings_are_answered(usual):
    rows = list(answers_to_settings(usual))
    assert len(rows) >= 150
    check_share(rows)


@pytest.mark.slow
def test_wrong_choices_and_files_are_answered(composed, tmp_path):
    rows = [*answers_to_choices(composed), *answers_to_files(composed, tmp_path)]
    assert len(rows) >= 50
    check_share(rows)


@pytest.mark.parametrize("line", RIGHT)
def test_right_command_lines_pass(line, usual):
    words = line.split(" ")
    assert answer(words, lambda: usual("ippo", words), words) == ""
