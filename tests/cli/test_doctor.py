import sys

import pytest
from packaging.requirements import Requirement

from benchmarl_hyper.cli import doctor


def told(monkeypatch, capsys, facts=None, error=""):
    monkeypatch.setattr(doctor, "probe", lambda: (facts or {"device": "cpu"}, error))
    doctor.main([])
    return capsys.readouterr().out


@pytest.fixture
def healthy(monkeypatch):
    monkeypatch.setattr(doctor, "KNOWN", ())


def test_what_is_installed_is_told(healthy, monkeypatch, capsys):
    out = told(monkeypatch, capsys)
    for requirement in doctor.requirements():
        assert f"\n{requirement.name} " in out
    assert "device: cpu" in out
    assert "Nothing is known to break." in out


def test_extras_are_those_of_users():
    assert {"vmas", "smax", "ray"} <= {*doctor.extras()}
    assert not {"test", "dev"} & {*doctor.extras()}
    assert [r.name for r in doctor.requirements("vmas")] == ["vmas"]


def test_missing_extras_have_a_pip_line(healthy, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "found", lambda r: "" if r.name == "vmas" else "99")
    monkeypatch.setattr(doctor, "problems", lambda: iter(()))
    lines = told(monkeypatch, capsys).splitlines()
    (line,) = [line for line in lines if line.startswith("vmas ")]
    assert line.split(maxsplit=2) == ["vmas", "vmas", 'pip install "benchmarl-hyper[vmas]"']


@pytest.mark.parametrize(("installed", "said"), [("", "missing"), ("0.1", "0.1")])
def test_unfulfilled_requirements_are_problems(installed, said, healthy, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "found", lambda r: installed if r.name == "scipy" else "")
    monkeypatch.setattr(doctor, "requirements", lambda extra="": [Requirement("scipy>=1.10")])
    with pytest.raises(SystemExit) as end:
        told(monkeypatch, capsys)
    assert end.value.code == 1
    advice = f'scipy is {said}, but scipy>=1.10 is needed: pip install "scipy>=1.10"'
    assert advice in capsys.readouterr().out


def test_known_combinations_are_problems(monkeypatch):
    versions = {"pettingzoo": "1.27.0", "torchrl": "0.11.1", "hydra-core": "1.4.0rc3"}
    monkeypatch.setattr(doctor, "found", lambda r: versions.get(r.name, ""))
    monkeypatch.setattr(doctor, "requirements", lambda extra="": [])
    pettingzoo, hydra = doctor.problems()
    assert "pettingzoo.mpe, which is gone: pip install pettingzoo==1.24.3" in pettingzoo
    assert 'cannot override `model`: pip install "hydra-core<1.4"' in hydra
    versions["pettingzoo"] = "1.24.3"
    assert [*doctor.problems()] == [hydra]


def test_an_import_that_fails_is_a_problem(healthy, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "PROBE", "raise ImportError('no torch')")
    facts, error = doctor.probe()
    assert not facts
    assert error == "ImportError: no torch"
    with pytest.raises(SystemExit):
        told(monkeypatch, capsys, facts, error)
    assert "import benchmarl_hyper fails: ImportError: no torch" in capsys.readouterr().out


@pytest.mark.slow
def test_the_probe_finds_everything():
    facts, error = doctor.probe()
    assert not error
    assert facts["models"] > 15
    assert facts["tasks"] > 30
    assert sys.modules["benchmarl_hyper"]
