import pytest
import torch
from support.benchmarl_requests import randomise
from support.experiments import ALGORITHMS, algorithm_config, experiment
from support.nearness import assert_near
from support.tiny_task import tiny_task
from tensordict import TensorDict
from tensordict.nn import ProbabilisticTensorDictModule, TensorDictModule, TensorDictSequential
from torch import nn
from torchrl.data import Bounded
from torchrl.data import Categorical as Actions
from torchrl.envs.utils import ExplorationType, set_exploration_type
from torchrl.modules import MaskedCategorical, QValueModule, TanhDelta, TanhNormal, TruncatedNormal

from benchmarl_hyper.export.action_rules import ActingAgent, ActionRule, action_rule
from benchmarl_hyper.export.agent_networks import agent_networks
from benchmarl_hyper.running.experiment_parts import policy_model

CASES = [
    *((name, continuous, {}) for name, continuous in ALGORITHMS),
    ("ippo", True, {"use_tanh_normal": False}),
    ("iddpg", True, {"use_tanh_mapping": False}),
]


@pytest.mark.parametrize(("algorithm", "continuous", "changes"), CASES)
def test_actions_are_those_of_the_policy_in_evaluation(algorithm, continuous, changes, tmp_path):
    config = algorithm_config(algorithm, **changes)
    run = experiment(tmp_path, "nops", config, tiny_task, continuous)
    policy = run.algorithm.get_policy_for_loss("agents")
    model = randomise(policy_model(policy))
    rule = action_rule(policy, run.algorithm.action_spec["agents", "action"])
    observation = 3 * torch.randn(64, 2, 3)
    steps = TensorDict({"agents": TensorDict({"observation": observation}, [64, 2])}, [64])
    with set_exploration_type(ExplorationType.DETERMINISTIC), torch.no_grad():
        expected = run.policy(steps)["agents"]
        for i, network in enumerate(agent_networks(model)):
            output, action = ActingAgent(network, rule.of_agent(i))(observation[:, i])
            assert_near(action, expected["action"][:, i], 2e-6)
            assert_near(output, expected[model.out_key[-1]][:, i])
    run.close()


@pytest.mark.parametrize("kind", [TanhDelta, TanhNormal])
def test_bounds_of_each_agent(kind):
    low, high = torch.tensor([[-1.0, 0.0], [2.0, -3.0]]), torch.tensor([[1.0, 4.0], [3.0, -1.0]])
    x = torch.randn(6, 2, 2)
    arguments = (x,) if kind is TanhDelta else (x, torch.ones_like(x))
    expected = kind(*arguments, low=low, high=high).deterministic_sample
    policy = [ProbabilisticTensorDictModule(["x"], ["action"], distribution_class=kind)]
    rule = action_rule(policy, Bounded(low, high))
    for i in range(2):
        _, action = ActingAgent(nn.Sequential(), rule.of_agent(i))(x[:, i])
        torch.testing.assert_close(action, expected[:, i])


@pytest.mark.parametrize("greedy", [True, False])
def test_a_mask_keeps_to_what_is_allowed(greedy):
    spec = Actions(4, shape=(2,))
    network = nn.Linear(3, 4)
    if greedy:
        keys = {"action_value_key": "x", "action_mask_key": "mask"}
        last = QValueModule(spec=spec, **keys)
    else:
        keys = {"logits": "x", "mask": "mask"}
        last = ProbabilisticTensorDictModule(keys, ["action"], distribution_class=MaskedCategorical)
    policy = TensorDictSequential(TensorDictModule(network, ["o"], ["x"]), last)
    steps = TensorDict({"o": torch.randn(32, 2, 3), "mask": torch.rand(32, 2, 4) < 0.4}, [32, 2])
    steps["mask"][..., 1] = True
    rule = action_rule(policy, spec)
    assert rule == ActionRule("argmax", masked=True)
    with set_exploration_type(ExplorationType.DETERMINISTIC), torch.no_grad():
        expected = policy(steps.clone())["action"]
        if greedy:
            expected = expected if expected.ndim == 2 else expected.argmax(-1)
        _, action = ActingAgent(nn.Sequential(network), rule.of_agent(0))(
            steps["o"].flatten(0, 1), steps["mask"].flatten(0, 1)
        )
    assert torch.equal(action, expected.flatten())


def test_an_unknown_distribution_is_refused():
    module = ProbabilisticTensorDictModule(["x"], ["a"], distribution_class=TruncatedNormal)
    with pytest.raises(
        ValueError, match=r"ends in .*TruncatedNormal.* the known distributions are TanhNormal"
    ):
        action_rule([module], None)
    with pytest.raises(ValueError, match="ends in Linear"):
        action_rule([nn.Linear(1, 1)], None)


def test_a_policy_of_one_module_is_refused():
    policy = TensorDictModule(nn.Linear(3, 4), ["observation"], ["action"])
    with pytest.raises(ValueError, match="a policy that ends in TensorDictModule; the known distr"):
        action_rule(policy, Bounded(-1, 1, (2, 1)))
