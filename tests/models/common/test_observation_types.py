"""Images, graphs and sets: the examples' sequences of BenchMARL's models and ours."""

from pathlib import Path

import benchmarl
import pytest
from benchmarl.hydra_config import load_model_config_from_hydra
from hydra import compose, initialize_config_dir
from support.benchmarl_requests import group_spec, policy
from support.experiments import check_training, experiment, one_group
from support.extras import imported
from support.tiny_task import shaped_task

from benchmarl_hyper.conf_files import CONF

EXAMPLES = Path(__file__).parents[3] / "examples" / "sequences"
SHAPES = {"cnn": (8, 8, 3), "gnn": 5, "deepsets": (4, 3)}
TASKS = {"cnn": shaped_task(8, 8, 3), "gnn": one_group, "deepsets": shaped_task(4, 3)}


def composed(folder, name, *overrides):
    searchpath = f"hydra.searchpath=[pkg://benchmarl.conf,file://{EXAMPLES}]"
    with initialize_config_dir(str(folder), version_base=None):
        cfg = compose(name, ["algorithm=ippo", "task=vmas/balance", searchpath, *overrides])
    return [load_model_config_from_hydra(part) for part in (cfg.model, cfg.critic_model)]


def example(first):
    if first == "gnn":
        imported("torch_geometric", "gnn")
    name = f"{first}_hypermarl_mlp"
    return composed(CONF, "run", f"variant={name}")


@pytest.fixture(params=TASKS)
def first(request):
    return request.param


def test_both_runners_compose_the_examples(first):
    models = example(first)
    for model in models:
        parts = [part.associated_class().__name__.lower() for part in model.model_configs]
        assert parts == [first, "hypermarlmlp"]
    name, folder = f"{first}_hypermarl_mlp", f"{benchmarl.__path__[0]}/conf"
    host = composed(folder, "config", f"model={name}", f"model@critic_model={name}")
    assert host == models


TRAINED = [
    *(("cnn", "ippo", True), ("cnn", "isac", False), ("cnn", "qmix", False)),
    *(("gnn", "mappo", False), ("gnn", "masac", True), ("gnn", "qmix", False)),
    *(("deepsets", "ippo", True), ("deepsets", "mappo", False), ("deepsets", "masac", True)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "algorithm", "continuous"), TRAINED)
def test_the_examples_train(first, algorithm, continuous, tmp_path):
    model, critic = example(first)
    run = experiment(
        tmp_path, model, algorithm, TASKS[first], continuous, critic_model=critic, lr=1e-3
    )
    check_training(run)


@pytest.mark.slow
@pytest.mark.parametrize("out_key", ["logits", "state_value"])
def test_what_is_in_front_follows_benchmarls_flags_and_ours_does_not(first, out_key):
    """Policies have share_policy_params, local critics share_param_critic."""
    spec = group_spec(3, observation=SHAPES[first])
    request = {"input_spec": spec, "output_spec": group_spec(3, **{out_key: 2})}
    shared, own = (policy(example(first)[0], **request, share_params=x) for x in (True, False))
    sizes = [
        [sum(parameter.numel() for parameter in part.parameters()) for part in model.models]
        for model in (shared, own)
    ]
    assert sizes[1] == [3 * sizes[0][0], sizes[0][1]]
