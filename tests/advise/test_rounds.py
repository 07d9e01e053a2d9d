"""Candidates that cannot be trained, and folders that hold other runs."""

import math

import pytest
from omegaconf import OmegaConf

from benchmarl_hyper.advise import candidates, costs, rounds
from benchmarl_hyper.advise.candidates import Candidate, candidate, refuse_other_runs
from benchmarl_hyper.advise.memory import Memory
from benchmarl_hyper.advise.request import Request, parsed
from benchmarl_hyper.running.records import FolderError

WORDS = ["task=games/specialisation_2", "algorithm=ippo", "frames=1000"]


@pytest.fixture(scope="module")
def nops():
    return candidate(parsed(WORDS), "nops", {"experiment.max_n_frames": 500})


def test_a_candidate_is_a_variant_with_settings_for_all_of_its_runs(nops):
    job = nops.job(3)
    assert job.path.parts[-5:] == (
        "runs",
        "advise",
        "games_specialisation_2",
        "ippo_nops",
        "seed_3",
    )
    assert job.settings["experiment"]["max_n_frames"] == 500
    assert job.settings["callbacks"] == ["snd"]


def test_seeds_are_trained_at_once_where_they_can_be(nops):
    assert nops.at_once
    ((*_, last),) = nops.commands([0, 1, 2])
    assert last == "seed=[0,1,2]"
    alone = Candidate("nops", nops.overrides, (), nops.cfg, False)
    assert [command[-1] for command in alone.commands([1, 2])] == ["seed=1", "seed=2"]


def test_what_the_user_sets_comes_first():
    one = candidate(parsed([*WORDS, "name=mine"]), "fups", {"name": "other"})
    assert one.folder().name == "mine"


def test_what_hydra_refuses_is_told_with_the_candidate():
    with pytest.raises(ValueError, match=r"nops: .*nonsense"):
        candidate(parsed([*WORDS, "nonsense=1"]), "nops", {})


def test_a_folder_with_other_runs_is_refused(nops, monkeypatch):
    def refuse(jobs):
        raise FolderError("x holds a run with other settings:\n  python ...")

    monkeypatch.setattr(candidates, "refuse_other_settings", refuse)
    with pytest.raises(
        ValueError, match=r"other settings\. Choose another folder .* name=advise_2"
    ):
        refuse_other_runs([nops])


def test_runs_are_as_long_as_the_budget_allows(nops):
    cfg = OmegaConf.merge(nops.cfg, {"experiment": {"max_n_frames": 3_000_000}})
    asked = parsed(["minutes=22", "candidates=[fups,nops]", "jobs=2"])
    # 1320 s, 120 of them spent, for 12 runs, two at a time, each 20 s to start: 180 s each
    spent = Memory(seconds=120, start_seconds=20)
    chosen = costs.chosen_length(cfg, asked, 0.01, spent)
    batch = costs.frames_per_batch(cfg)
    assert chosen[costs.LENGTH[0]] == 18_000 // batch * batch
    assert chosen[costs.EVALUATION] == batch
    asked = parsed(["minutes=20", "experiment.max_n_frames=3_000_000"])
    assert chosen.keys() - costs.chosen_length(cfg, asked, 0.01, spent).keys() == {costs.LENGTH[0]}


def test_if_nothing_trains_the_first_error_is_told(nops, monkeypatch, tmp_path):
    monkeypatch.setattr(costs, "run_all", lambda *_: [1])
    asked = Request((), None, ("nops",), 0.05, math.inf, 1000, 1)
    with pytest.raises(ValueError, match="no candidate can be trained: nops: its process ended"):
        costs.measure([nops], asked, tmp_path / "log", lambda: None)


def test_a_comparison_needs_two_candidates_with_returns(nops, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    study = rounds.Study.__new__(rounds.Study)
    study.candidates, study.memory = [nops], Memory(target={"nops": 1})
    with pytest.raises(ValueError, match="fewer than two candidates can be trained: nops: "):
        study._look()
