import pytest

from benchmarl_hyper.report.output.places import REDACTED, Places
from benchmarl_hyper.report.reading.run import Place


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/home/alice/runs/x.yaml'", "No such file: '.../x.yaml'"),
        ('"/scratch/data"', '".../data"'),
        (r"C:\Users\alice\x.yaml is absent", ".../x.yaml is absent"),
        ("see /tmp, /home/a/b/ and ./c", "see .../tmp, .../b/ and ./c"),
        ("vmas/navigation and a/b/c", "vmas/navigation and a/b/c"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("1/2, 3 / 4 and ../x", "1/2, 3 / 4 and ../x"),
    ],
)
def test_absolute_paths_are_cut_and_others_stay(text, shown):
    assert Places().text(text) == shown
    assert Places(shown=True).text(text) == text


def test_a_place_is_told_from_the_given_folder_on(tmp_path, monkeypatch):
    place = Place(str(tmp_path / "runs"), "a/seed_0")
    assert Places().of(place) == "runs/a/seed_0"
    assert Places(shown=True).of(place) == str(tmp_path / "runs" / "a" / "seed_0")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert Places().of(Place(".", "seed_0")) == "here/seed_0"


def test_hosts_are_told_when_asked():
    facts = {"host": "alices-laptop", "device": "cpu"}
    assert Places().machine(facts) == {"device": "cpu"}
    assert Places(shown=True).machine(facts) == facts


@pytest.mark.parametrize(
    "key", ["experiment.wandb.api_key", "task.token", "x.db_password", "SECRET"]
)
def test_secrets_are_never_told(key):
    assert Places(shown=True).setting(key, "'abc'") == REDACTED


@pytest.mark.parametrize("key", ["model.num_tokens", "task.n_secretaries", "experiment.lr"])
def test_what_only_sounds_like_a_secret_is_told(key):
    assert Places().setting(key, "0.1") == "0.1"
