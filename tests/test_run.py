import pytest
from omegaconf import OmegaConf

from benchmarl_hyper.run import with_sharing_flags

SHARING = {"share_param_critic": False, "coupled_discrete_values": False}


@pytest.mark.parametrize(
    ("algorithm", "overrides", "expected"),
    [
        ({"share_param_critic": True, "lr": 1}, [], {"share_param_critic": False, "lr": 1}),
        ({"lr": 1}, [], {"lr": 1}),
        (
            {"share_param_critic": True, "coupled_discrete_values": True},
            ["seed=1", "algorithm.share_param_critic=True"],
            {"share_param_critic": True, "coupled_discrete_values": False},
        ),
    ],
)
def test_sharing_flags_are_set_where_the_algorithm_has_them(algorithm, overrides, expected):
    cfg = OmegaConf.create({"algorithm": algorithm, "sharing": SHARING})
    assert with_sharing_flags(cfg, overrides).algorithm == expected
    assert cfg.algorithm == algorithm
