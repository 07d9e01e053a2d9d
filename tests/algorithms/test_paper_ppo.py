"""PPO as the paper runs it: what it equals, and what its settings do."""

from dataclasses import fields, replace

import benchmarl
import pytest
import torch
import yaml
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.experiment import Callback
from benchmarl.hydra_config import load_algorithm_config_from_hydra
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from support.benchmarl_requests import config_of
from support.experiments import algorithm_config, experiment
from support.happo_runs import equal, tensors

import benchmarl_hyper
from benchmarl_hyper import IppoPaperConfig, MappoPaperConfig
from benchmarl_hyper.algorithms.paper_ppo import KEPT_APART, PaperPpoConfig
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.running.experiment import ResumableExperiment

GROUP = "agents"
CONFIGS = {"ippo": IppoPaperConfig, "mappo": MappoPaperConfig}
ADDED = {
    "normalize_advantage": "none",
    "clip_value": False,
    "anneal_lr": False,
    "value_norm": False,
}


def paper(name, **changes):
    return algorithm_config(f"{name}_paper", **changes)


def run_with(folder, config, **changes):
    return experiment(folder, "nops", config, evaluation=False, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("name", CONFIGS)
def test_without_its_settings_it_is_benchmarls_bit_for_bit(name, continuous, tmp_path):
    ours = paper(name, **ADDED)
    theirs = algorithm_config(name)
    theirs = replace(theirs, **{field.name: getattr(ours, field.name) for field in fields(theirs)})
    ends = []
    for config in (ours, theirs):
        run = run_with(tmp_path, config, continuous=continuous)
        run.run()
        ends.append(tensors(run.losses[GROUP]))
    assert equal(*ends)


def prepared(run):
    """A batch with advantages, under a policy that has not changed since."""
    batch = run.algorithm.process_batch(GROUP, next(iter(run.collector)))
    run.close()
    return batch.reshape(-1)


@pytest.mark.parametrize("choice", KEPT_APART)
@pytest.mark.parametrize("name", CONFIGS)
def test_advantages_of_a_minibatch_are_normalised(name, choice, tmp_path):
    """Where no ratio has changed, the objective of a sample is its advantage."""
    run = run_with(tmp_path, paper(name, normalize_advantage=choice))
    batch, loss = prepared(run), run.losses[GROUP]
    loss.reduction = "none"
    used = -loss(batch)["loss_objective"]
    advantage = batch[GROUP, "advantage"].squeeze(-1)
    assert (advantage[:, 0].mean() - advantage[:, 1].mean()).abs() > 1e-3
    dims = {"none": None, "joint": (0, 1), "per_agent": (0,)}[choice]
    if dims is None:
        torch.testing.assert_close(used, advantage)
    else:
        centred = advantage - advantage.mean(dims, keepdim=True)
        expected = centred / advantage.std(dims, keepdim=True)
        torch.testing.assert_close(used, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("clip_value", [True, False])
@pytest.mark.parametrize("name", CONFIGS)
def test_values_move_by_epsilon_at_most(name, clip_value, tmp_path):
    run = run_with(tmp_path, paper(name, clip_value=clip_value, clip_epsilon=0.1))
    batch, loss = prepared(run), run.losses[GROUP]
    new = batch[GROUP, "state_value"].clone()
    old = batch[GROUP, "state_value"] = new + 0.2 * torch.randn_like(new)
    target = batch[GROUP, "value_target"] = torch.randn_like(new)
    error = (target - new).square()
    clipped = (target - old - (new - old).clamp(-0.1, 0.1)).square()
    assert (error < clipped).any()
    assert (error > clipped).any()
    expected = torch.maximum(error, clipped) if clip_value else error
    torch.testing.assert_close(loss(batch)["loss_critic"], 0.25 * expected.mean())


class Rates(Callback):
    """The learning rates of every optimiser step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_step(self, batch, group):
        optimizers = self.experiment.optimizers[group].values()
        self.seen.append([p["lr"] for optimizer in optimizers for p in optimizer.param_groups])

    def __getstate__(self):
        return {"seen": []}


def rates(run):
    """Of each iteration, in which they are all the same."""
    run.run()
    recorder = run.callbacks[0]
    steps = torch.tensor(recorder.seen).reshape(-1, 4, 2)  # passes x minibatches, two optimisers
    assert (steps == steps[:, :1, :1]).all()
    return steps[:, 0, 0].tolist()


@pytest.mark.parametrize("name", CONFIGS)
def test_learning_rates_fall_to_zero_also_after_resuming(name, tmp_path):
    config = paper(name, anneal_lr=True)
    run = run_with(
        tmp_path,
        config,
        callbacks=[Rates()],
        kind=ResumableExperiment,
        max_n_iters=None,
        max_n_frames=32,
        checkpoint_interval=16,
        keep_checkpoints_num=None,
        lr=0.01,
    )
    assert rates(run) == pytest.approx([0.01, 0.0075, 0.005, 0.0025])
    checkpoint = run.folder_name / "checkpoints" / "checkpoint_16.pt"
    again = ResumableExperiment.reload_from_file(str(checkpoint))
    assert rates(again) == pytest.approx([0.005, 0.0025])


def test_learning_rates_stay_where_they_are_not_annealed(tmp_path):
    assert rates(run_with(tmp_path, paper("ippo"), callbacks=[Rates()])) == pytest.approx(
        [0.01] * 2
    )


@pytest.mark.slow
@pytest.mark.parametrize("choice", KEPT_APART)
def test_recurrent_models_train(choice, tmp_path):
    config = paper("mappo", normalize_advantage=choice, anneal_lr=True)
    run = experiment(tmp_path, config_of("hypermarl_gru"), config, lr=1e-3)
    before = tensors(run.losses[GROUP])
    run.run()
    after = tensors(run.losses[GROUP])
    assert all(x.isfinite().all() for x in after)
    assert not any(map(torch.equal, before, after))


def test_an_unknown_normalisation_is_refused():
    message = "must be one of none, joint, per_agent, got 'each'"
    with pytest.raises(ValueError, match=message):
        paper("ippo", normalize_advantage="each")


@pytest.mark.parametrize("name", CONFIGS)
def test_names_agree(name):
    config = CONFIGS[name]
    shipped = yaml.safe_load(
        (CONF / "algorithm" / f"{name}_paper.yaml").read_text(encoding="utf-8")
    )
    assert shipped.keys() - {"defaults"} == {field.name for field in fields(config)}
    assert algorithm_config_registry[f"{name}_paper"] is config
    assert getattr(benchmarl_hyper, config.associated_class().__name__) is config.associated_class()
    added = {field.name for field in fields(PaperPpoConfig)}
    assert added == set(ADDED)


@pytest.mark.parametrize("name", CONFIGS)
def test_benchmarl_composes_it(name):
    words = [f"algorithm={name}_paper", "experiment=hypermarl_paper", "task=vmas/dispersion"]
    with initialize_config_dir(f"{benchmarl.__path__[0]}/conf", version_base=None):
        cfg = compose("config", words)
        assert load_algorithm_config_from_hydra(cfg.algorithm) == CONFIGS[name].get_from_yaml()
        assert cfg.experiment.evaluation_static
        with pytest.raises(ConfigCompositionException) as error:
            compose("config", [*words, "algorithm.anneal_lr=maybe"])
    assert "'maybe' is not a valid bool" in str(error.value.__cause__)
