import json

import pytest
import torch
from benchmarl.environments import VmasTask
from benchmarl.experiment import Callback
from benchmarl.utils import seed_everything
from support.experiments import TASKS, experiment
from support.run_folders import checkpoint_in
from tensordict import TensorDict
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper.running.absolute_metric import TIMES, AbsoluteMetricCallback
from benchmarl_hyper.running.episodes import fresh_episodes, info_metrics, return_metrics
from benchmarl_hyper.running.experiment import ResumableExperiment
from benchmarl_hyper.running.recording import ResultsCallback

GROUPS = {"a": ["a_0", "a_1"], "b": ["b_0"]}


def episode(*rewards, won=0.0):
    """Steps of two groups: agents of ``a`` get the reward and 0, those of ``b`` twice as much."""
    r = torch.tensor(rewards)
    time = len(rewards)
    return TensorDict(
        {
            "next": {
                "a": {"reward": torch.stack([r, 0 * r], 1).unsqueeze(-1)},
                "b": {"reward": 2 * r.view(-1, 1, 1)},
                "info": {"won": torch.tensor([0.0] * (time - 1) + [won]).unsqueeze(-1)},
            }
        },
        [time],
    )


def test_returns_are_sums_and_means_over_agents_then_groups():
    metrics = return_metrics([episode(1.0, 2.0), episode(4.0)], GROUPS)
    assert metrics["a_return"].tolist() == [1.5, 2.0]
    assert metrics["b_return"].tolist() == [6.0, 8.0]
    assert metrics["return"].tolist() == [3.75, 5.0]


def test_what_the_task_says_of_the_end():
    episodes = [episode(1.0, 2.0, won=1.0), episode(4.0)]
    assert info_metrics(episodes)["won"].tolist() == [1.0, 0.0]
    assert info_metrics([e.exclude(("next", "info")) for e in episodes]) == {}


class Returns(Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_evaluation_end(self, rollouts):
        self.seen.append(return_metrics(rollouts, self.experiment.group_map))


@pytest.mark.parametrize("task", ["one_group", "two_groups", "global_state"])
def test_returns_equal_benchmarls(tmp_path, task):
    returns = Returns()
    run = experiment(tmp_path, "nops", task=TASKS[task], callbacks=[returns])
    run.run()
    recorded = run.logger.json_writer.run_data
    assert len(returns.seen) == 2
    for number, metrics in enumerate(returns.seen, start=1):
        for name, values in metrics.items():
            assert values.flatten().tolist() == pytest.approx(recorded[f"step_{number}"][name])


def measured(folder, model="nops", **settings):
    folder.mkdir(exist_ok=True)
    absolute = AbsoluteMetricCallback()
    callbacks = [absolute, ResultsCallback("mine")]
    run = experiment(folder, model, kind=ResumableExperiment, callbacks=callbacks, **settings)
    return run, absolute


def test_the_best_policy_meets_ten_times_as_many_fresh_episodes(tmp_path):
    run, absolute = measured(tmp_path, checkpoint_at_end=True)
    run.run()
    data = json.loads(run.logger.json_writer.path.read_text(encoding="utf-8"))
    steps = data["vmas"]["navigation"]["mine"]["seed_0"]
    means = {n: sum(steps[f"step_{n}"]["return"]) / 2 for n in (1, 2)}
    best = max(means, key=means.get)
    assert absolute.best["return"] == pytest.approx(means[best])
    assert absolute.best["frames"] == steps[f"step_{best}"]["step_count"]
    assert len(steps["absolute_metrics"]["return"]) == TIMES * 2
    assert not set(steps["absolute_metrics"]["return"]) & set(steps[f"step_{best}"]["return"])
    state = torch.load(checkpoint_in(run.folder_name))
    assert state["best_evaluation"]["frames"] == absolute.best["frames"]


def test_it_is_the_policy_of_the_best_evaluation_that_is_measured(tmp_path):
    """Its state is set to that of another policy, whose episodes are known."""
    run, absolute = measured(tmp_path)
    policy = {key: value.clone() for key, value in run.policy.state_dict().items()}
    expected = absolute.measure(policy)
    with torch.no_grad():
        for parameter in run.policy.parameters():
            parameter.add_(1)
    changed = [parameter.clone() for parameter in run.policy.parameters()]
    assert absolute.measure(policy)["return"].tolist() == expected["return"].tolist()
    assert all(map(torch.equal, run.policy.parameters(), changed))
    now = {key: value.clone() for key, value in run.policy.state_dict().items()}
    assert absolute.measure(now)["return"].tolist() != expected["return"].tolist()
    run.close()


def test_random_numbers_are_left_as_they_were(tmp_path):
    run, absolute = measured(tmp_path)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    absolute.measure(run.policy.state_dict())
    assert torch.equal(before, torch.random.get_rng_state())
    run.close()


def test_a_policy_that_is_not_a_number_is_not_the_best(tmp_path):
    run, absolute = measured(tmp_path)
    run.group_map = {"a": GROUPS["a"]}
    for rewards, frames in ((float("nan"), None), (1.0, 0), (1.0, 0), (2.0, 7)):
        run.total_frames = frames or 0
        absolute.on_evaluation_end([episode(rewards)])
        assert (absolute.best and absolute.best["frames"]) == frames
    run.close()


def test_without_an_evaluation_there_is_none(tmp_path):
    run, absolute = measured(tmp_path, evaluation=False)
    run.run()
    assert absolute.best is None
    assert run.logger.json_writer.run_data == {"absolute_metrics": {}}


@pytest.mark.parametrize("model", ["nops", "nops_gru"])
def test_episodes_that_wait_for_the_others_are_the_same(tmp_path, model):
    def balance():
        return VmasTask.BALANCE.get_task({"max_steps": 200, "n_agents": 2})

    run, _ = measured(tmp_path, model=model, task=balance, evaluation_episodes=8)
    with torch.no_grad():
        for parameter in run.policy.parameters():
            parameter.mul_(2)  # larger actions, so that some episodes end early
    (waiting,) = fresh_episodes(run, 1, seed=3)
    seed_everything(3)
    run.test_env.set_seed(3)
    with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
        rows = run.test_env.rollout(200, run.policy, break_when_any_done=False).unbind(0)
    assert len({len(one) for one in waiting}) > 1
    for one, other in zip(waiting, rows, strict=True):
        expected = other["next", "agents", "reward"][: len(one)]
        assert torch.equal(one["next", "agents", "reward"], expected)
        assert other["next", "done"][len(one) - 1]
    run.close()


@pytest.mark.parametrize("task", ["one_group", "global_state"])
def test_fresh_episodes_end_where_they_are_done(tmp_path, task):
    run, _ = measured(tmp_path, task=TASKS[task])
    batches = list(fresh_episodes(run, 3, seed=1))
    episodes = [one for batch in batches for one in batch]
    assert len(episodes) == 6
    for one in episodes:
        done = one["next", "done"].flatten()
        assert done[-1]
        assert not done[:-1].any()
    run.close()
