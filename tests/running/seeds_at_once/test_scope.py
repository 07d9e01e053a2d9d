import pytest
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.environments import VmasTask
from support.extras import needs
from support.planned_runs import sweep

from benchmarl_hyper.registry import CONFIGS
from benchmarl_hyper.running.planning import planned_jobs
from benchmarl_hyper.tasks.bps import BpsTask
from benchmarl_hyper.tasks.games import GamesTask
from benchmarl_hyper.tasks.hypervmas import HyperVmasTask

RECURRENT = {"fups_gru", "fups_id_gru", "nops_gru", "hypermarl_gru"}
WITH_METHOD = {"dico", "seps", "kaleidoscope", "lorasa"}
FEEDFORWARD = {config.model_name() for config in CONFIGS} - RECURRENT - WITH_METHOD
REMEDY = r"-m seed=0,1"


def planned(folder, *overrides):
    with sweep(folder, "seed=[0,1]", *overrides) as config:
        return planned_jobs(config)


@pytest.mark.parametrize("model", sorted(FEEDFORWARD | {"mlp"}))
def test_feedforward_models_can_be_trained_at_once(model, tmp_path):
    words = [f"model=layers/{model}", f"model@critic_model=layers/{model}", f"label={model}"]
    jobs = planned(tmp_path, *words)
    assert [job.path.name for job in jobs] == ["seed_0", "seed_1"]
    assert [job.settings["seed"] for job in jobs] == [0, 1]


@pytest.mark.parametrize("task", [VmasTask.BALANCE, *GamesTask, *BpsTask, *HyperVmasTask])
def test_vectorised_tasks_can(task):
    known = VmasTask.BALANCE.associated_class()
    cls = task.associated_class()
    assert cls is known or cls.seeds_at_once


@pytest.mark.parametrize("algorithm", sorted(algorithm_config_registry))
def test_algorithms_are_refused_by_name_unless_they_are_on_policy_actor_critics(
    algorithm, tmp_path
):
    continuous = "experiment.prefer_continuous_actions=False"
    words = [f"algorithm={algorithm}", "task=vmas/navigation", continuous]
    if algorithm in ("ippo", "mappo", "ippo_paper", "mappo_paper", "ia2c", "maa2c"):
        assert len(planned(tmp_path, *words)) == 2
        return
    with pytest.raises(ValueError, match=rf"seed=\[0, 1\]: algorithm \w+ .*{REMEDY}"):
        planned(tmp_path, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["variant=fups_gru"], r"model FupsGru is not supported .*feedforward"),
        (["algorithm=ippo_paper", "algorithm.value_norm=True"], r"algorithm\.value_norm=True"),
        (["variant=dico"], "variants with a method are not supported"),
        (["variant=kaleidoscope"], "model Kaleidoscope is not supported"),
        (["model=layers/lorasa", "label=lorasa"], "model Lorasa is not supported"),
        (["model=layers/gnn", "label=gnn"], r"model Gnn is not supported"),
        (["experiment.collect_with_grad=True"], "experiment.collect_with_grad=True"),
        (["experiment.train_device=meta"], "experiment.train_device=meta"),
    ],
)
def test_what_is_not_supported_is_named_with_a_remedy(words, message, tmp_path):
    with pytest.raises(ValueError, match=rf"seed=\[0, 1\]: .*{message}.*{REMEDY}"):
        planned(tmp_path, *words)


@needs("smax")
def test_environments_that_draw_in_another_way_are_refused(tmp_path):
    with pytest.raises(ValueError, match=rf"task Smax is not supported .*draw by row.*{REMEDY}"):
        planned(tmp_path, "task=smax/2s3z")


@pytest.mark.parametrize(
    "seeds", ["[]", "[0,0]", "[0,a]", "[0,1.5]", "[0,-1]", "[[0],1]", "[0,true]"]
)
def test_lists_that_are_no_seeds_are_refused(seeds, tmp_path):
    with (
        sweep(tmp_path, f"seed={seeds}") as config,
        pytest.raises(ValueError, match=r"seed=.* must be a whole number .* list of different"),
    ):
        planned_jobs(config)


def test_a_list_of_one_seed_is_that_seed(tmp_path):
    with sweep(tmp_path, "seed=[3]", "variant=dico") as config:
        (job,) = planned_jobs(config)
    assert job.settings["seed"] == 3


def test_lists_and_sweeps_of_seeds_go_together(tmp_path):
    with sweep(tmp_path, "seed=[0,1],[2,3],4") as config:
        assert [job.labels["seed"] for job in planned_jobs(config)] == [0, 1, 2, 3, 4]
