"""Actions drawn without a distribution equal those that the distribution draws."""

import pytest
import torch
from torch.distributions import Categorical
from torchrl.modules import IndependentNormal, MaskedCategorical, TanhNormal

from benchmarl_hyper.running.lean_draws import draw_from

WIDE = {"low": torch.tensor([-2.0, 0.0]), "high": torch.tensor([1.0, 3.0])}


def normal():
    return {"loc": 3 * torch.randn(5, 4, 2), "scale": 0.1 + 2 * torch.rand(5, 4, 2)}


def logits():
    return {"logits": 3 * torch.randn(5, 4, 6)}


def agents_first(parameters):
    """The same in another order of memory, as networks of single agents return it."""
    return {k: v.transpose(0, 1).contiguous().transpose(0, 1) for k, v in parameters.items()}


KINDS = {
    "tanh": (TanhNormal, {}, normal),
    "tanh in bounds": (TanhNormal, {"low": -torch.ones(4, 2), "high": torch.ones(4, 2)}, normal),
    "tanh in other bounds": (TanhNormal, WIDE, normal),
    "tanh by other options": (TanhNormal, {"tanh_loc": True}, normal),
    "normal": (IndependentNormal, {}, normal),
    "categorical": (Categorical, {}, logits),
    "masked": (MaskedCategorical, {}, lambda: {**logits(), "mask": torch.rand(5, 4, 6) < 0.7}),
}


@pytest.mark.parametrize("arranged", [dict, agents_first])
@pytest.mark.parametrize(("kind", "options", "parameters"), KINDS.values(), ids=KINDS)
def test_draws_equal_the_distributions(kind, options, parameters, arranged):
    for seed in range(20):
        torch.manual_seed(seed)
        values = arranged(parameters())
        state = torch.get_rng_state()
        distribution = kind(**values, **options)
        draw = distribution.rsample if distribution.has_rsample else distribution.sample
        expected = draw()
        after = torch.rand(3)
        torch.set_rng_state(state)
        action, log_prob = draw_from(kind, options)(**values)
        assert torch.equal(action, expected)
        assert torch.equal(log_prob, distribution.log_prob(expected))
        assert torch.equal(torch.rand(3), after)
