import pytest
from hydra.errors import HydraException
from support.planned_runs import run_in, sweep

from benchmarl_hyper.running.planning import (
    planned_jobs,
    refuse_other_settings,
    refuse_shared_folders,
)
from benchmarl_hyper.running.records import FolderError


def planned(folder, *overrides):
    with sweep(folder, *overrides) as config:
        return planned_jobs(config)


def names(jobs, folder):
    return {str(job.path.relative_to(folder)) for job in jobs}


def test_jobs_are_those_of_hydras_sweeper(tmp_path):
    jobs = planned(tmp_path, "seed=0,1", "variant=fups,nops", "seed=range(2,4)")
    assert names(jobs, tmp_path) == {
        f"vmas_balance/ippo_{variant}/seed_{seed}"
        for variant in ("fups", "nops")
        for seed in (2, 3)
    }
    job = next(job for job in jobs if job.labels["variant"] == "nops" and job.labels["seed"] == 3)
    assert job.settings["seed"] == 3
    assert job.settings["model"]["name"] == "nops"
    assert job.settings["algorithm"]["share_param_critic"] is False
    assert "seed=3" in job.labels["overrides"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["variant=glob(fups_i*)"], {"fups_id", "fups_id_gru", "fups_id_no_state"}),
        (["+suite=games_small"], {"fups", "fups_id", "nops", "hypermarl_linear", "hypermarl_mlp"}),
        (["variant=nops", "label='a ${seed}'"], {"nops"}),
    ],
)
def test_every_way_to_sweep_is_planned(tmp_path, overrides, expected):
    assert {job.labels["variant"] for job in planned(tmp_path, *overrides)} == expected


def test_labels_with_interpolations_are_those_of_each_job(tmp_path):
    label = "label=${hydra:runtime.choices.variant}_lr${experiment.lr}_s${seed}"
    jobs = planned(tmp_path, "variant=nops,fups", "experiment.lr=0.1,0.2", "seed=4,5", label)
    assert {job.labels["label"] for job in jobs} == {
        f"{variant}_lr{lr}_s{seed}"
        for variant in ("nops", "fups")
        for lr in (0.1, 0.2)
        for seed in (4, 5)
    }


def test_other_sweepers_choose_their_jobs_later(tmp_path):
    with sweep(tmp_path, "hydra.sweeper._target_=my.Sweeper") as config:
        assert planned_jobs(config) is None


def test_a_job_that_cannot_be_composed_is_refused(tmp_path):
    with pytest.raises(HydraException, match="variant/nosp"):
        planned(tmp_path, "variant=nops,nosp")


@pytest.mark.parametrize(
    ("overrides", "shown", "label"),
    [
        (["experiment.lr=0.1,0.2"], "experiment.lr: 0.1 and 0.2", "_lr${experiment.lr}'"),
        (
            ["model.num_cells=[4],[8,8]", "seed=0,1"],
            "model.num_cells",
            "_num_cells${model.num_cells}'",
        ),
        (
            ["model=layers/nops,layers/fups", "label=mine"],
            "model: layers/nops and layers/fups",
            "label=mine_${hydra:runtime.choices.model}'",
        ),
        (
            ["model@critic_model=layers/nops,layers/fups"],
            "model@critic_model: layers/nops and layers/fups",
            "_${critic_model.name}'",
        ),
    ],
)
def test_jobs_that_share_a_folder_are_refused_with_a_label_that_parts_them(
    tmp_path, overrides, shown, label, monkeypatch
):
    monkeypatch.setattr("sys.argv", ["run", "-m", *overrides])
    with pytest.raises(ValueError, match="share the folder") as refusal:
        refuse_shared_folders(planned(tmp_path, "variant=nops", *overrides))
    assert shown in str(refusal.value)
    assert str(refusal.value).endswith(label)
    words = [word for word in overrides if not word.startswith("label=")]
    new = str(refusal.value).rpartition("'label=")[2].removesuffix("'")
    refuse_shared_folders(planned(tmp_path, "variant=nops", *words, f"label={new}"))


def test_one_job_twice_shares_nothing(tmp_path):
    refuse_shared_folders(planned(tmp_path, "seed=0,0", "variant=nops"))


def test_a_folder_with_another_run_is_refused_before_the_first_job(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["run", "-m", "variant=nops", "experiment.lr=0.1"])
    (job,) = planned(tmp_path, "variant=nops", "seed=1", "experiment.lr=0.1")
    refuse_other_settings([job])
    run_in(tmp_path, "nops", 1, settings=job.settings, status="done")
    refuse_other_settings([job])
    other = {**job.settings, "experiment": {**job.settings["experiment"], "lr": 0.2}}
    run_in(tmp_path, "nops", 1, settings=other, status="failed")
    refuse_other_settings([job])  # nothing would be lost
    run_in(tmp_path, "nops", 1, settings=other, status="done")
    message = r"other settings \(experiment.lr: 0.2 there, 0.1 now\)(.|\n)*_lr\$\{experiment.lr\}'"
    with pytest.raises(FolderError, match=message):
        refuse_other_settings([job])
