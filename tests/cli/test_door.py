"""The console script runs what ``python -m`` runs."""

import sys
from importlib.util import find_spec

import pytest

from benchmarl_hyper.cli import door

# In a process of its own, no command was imported before
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")


def opened(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["benchmarl-hyper", *words])
    door.main()
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",)])
def test_without_a_command_it_lists_them(words, monkeypatch, capsys):
    out = opened(monkeypatch, capsys, *words)
    for name, (module, what) in door.COMMANDS.items():
        assert f"  {name} " in out
        assert what in out
        assert find_spec(f"benchmarl_hyper.{module}")


def test_unknown_commands_get_the_nearest_known_one(monkeypatch, capsys):
    with pytest.raises(SystemExit, match="unknown command 'stauts'; did you mean 'status'"):
        opened(monkeypatch, capsys, "stauts")
    with pytest.raises(SystemExit, match="unknown command 'x'\n\nusage"):
        opened(monkeypatch, capsys, "x")


def test_a_command_gets_its_words(monkeypatch, capsys):
    assert "games/specialisation_2" in opened(monkeypatch, capsys, "tasks", "games")
    with pytest.raises(SystemExit, match="unknown family gams; did you mean 'games'"):
        opened(monkeypatch, capsys, "tasks", "gams")


@pytest.mark.parametrize("command", [name for name in door.COMMANDS if name != "run"])
def test_every_command_has_a_help(command, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        opened(monkeypatch, capsys, command, "--help")
    assert end.value.code == 0
