import random

import numpy as np
import pytest
import torch
from benchmarl.utils import seed_everything

from benchmarl_hyper.running.seeds_at_once.random_numbers import RowsOfSeeds, Streams, over_seeds

SEEDS, ROWS = (5, 7, 2), 4
WEIGHTS = torch.arange(1.0, 6.0).expand(ROWS, 5)

# What is drawn for a number of rows, in every way that torch has
DRAWS = {
    "rand": lambda n: torch.rand(n, 3),
    "rand of a size": lambda n: torch.rand((n, 3)),
    "rand of a named size": lambda n: torch.rand(size=(n, 3)),
    "randn": lambda n: torch.randn(n, 3),
    "randint": lambda n: torch.randint(9, (n,)),
    "randint of a range": lambda n: torch.randint(2, 9, (n, 2)),
    "randint of a named size": lambda n: torch.randint(2, 9, size=(n, 2)),
    "rand_like": lambda n: torch.rand_like(torch.zeros(n, 2)),
    "randn_like": lambda n: torch.randn_like(torch.zeros(n, 2)),
    "randint_like": lambda n: torch.randint_like(torch.zeros(n, 2), 9),
    "normal": lambda n: torch.normal(torch.zeros(n, 3), torch.ones(n, 3)),
    "bernoulli": lambda n: torch.bernoulli(torch.full((n, 2), 0.5)),
    "method bernoulli": lambda n: torch.full((n, 2), 0.5).bernoulli(),
    "poisson": lambda n: torch.poisson(torch.full((n, 2), 3.0)),
    "multinomial": lambda n: torch.multinomial(WEIGHTS[:1].expand(n, -1), 2),
    "method multinomial": lambda n: WEIGHTS[:1].expand(n, -1).multinomial(1, True),
    "several per row": lambda n: torch.rand(n * 2, 3),
    "categorical": lambda n: torch.distributions.Categorical(torch.ones(n, 2, 3)).sample(),
    **{
        name: lambda n, name=name, arguments=arguments: getattr(torch.zeros(n, 3), name)(*arguments)
        for name, arguments in {
            "uniform_": (-1, 1),
            "normal_": (),
            "exponential_": (),
            "random_": (9,),
            "bernoulli_": (),
            "cauchy_": (),
            "geometric_": (0.3,),
            "log_normal_": (),
        }.items()
    },
}


def generators():
    return [torch.Generator().manual_seed(seed) for seed in SEEDS]


@pytest.mark.parametrize("name", DRAWS)
def test_each_seed_gets_the_rows_that_it_draws_alone(name):
    draw = DRAWS[name]
    with RowsOfSeeds(generators(), len(SEEDS) * ROWS):
        together = [draw(len(SEEDS) * ROWS) for _ in range(2)]
    for index, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        for drawn in together:
            assert drawn.chunk(len(SEEDS))[index].equal(draw(ROWS))


def test_a_generator_that_is_named_is_replaced():
    with RowsOfSeeds(generators(), len(SEEDS) * ROWS):
        drawn = torch.rand(len(SEEDS) * ROWS, generator=torch.Generator().manual_seed(1))
    assert drawn[:ROWS].equal(torch.rand(ROWS, generator=torch.Generator().manual_seed(SEEDS[0])))


def test_everything_can_be_drawn_for_one_seed():
    mode = RowsOfSeeds(generators(), len(SEEDS) * ROWS)
    mode.only = 1
    with mode:
        drawn = torch.rand(1, 3), torch.randperm(4)
    torch.manual_seed(SEEDS[1])
    assert drawn[0].equal(torch.rand(1, 3))
    assert drawn[1].equal(torch.randperm(4))


@pytest.mark.parametrize(
    "draw", [lambda: torch.rand(1), lambda: torch.randperm(12), lambda: torch.zeros(8).normal_()]
)
def test_numbers_that_have_no_row_are_refused(draw):
    with (
        RowsOfSeeds(generators(), len(SEEDS) * ROWS),
        pytest.raises(ValueError, match=r"no row for each of 12 environments.* -m seed=0,1,2"),
    ):
        draw()


def test_functions_over_seeds_draw_for_each_seed():
    def noisy(x):
        return (x + torch.empty(3).normal_()).data.sum().squeeze(-1)

    x = torch.rand(len(SEEDS), 3)
    drawn = over_seeds(noisy, generators())(x)
    for index, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        torch.testing.assert_close(drawn[index], (x[index] + torch.empty(3).normal_()).sum())


def test_functions_over_seeds_refuse_what_they_cannot_draw():
    with pytest.raises(NotImplementedError, match=r"torch\.rand of many seeds"):
        over_seeds(lambda x: x + torch.rand(3), generators())(torch.zeros(len(SEEDS), 3))


def all_kinds():
    return torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random()


def test_streams_are_those_of_processes_with_these_seeds():
    streams, drawn = Streams(SEEDS, "cpu"), {}
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    for _ in range(2):
        for index, seed in enumerate(SEEDS):
            with streams.of(index):
                drawn.setdefault(seed, []).append(all_kinds())
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    assert before[0].equal(after[0])
    assert before[1:] == after[1:]
    for seed, kinds in drawn.items():
        seed_everything(seed)
        assert kinds == [all_kinds(), all_kinds()]


def test_streams_can_be_put_back():
    streams = Streams(SEEDS, "cpu")
    with streams.restored():
        first = [torch.rand(1, generator=g).item() for g in streams.torch]
    assert first == [torch.rand(1, generator=g).item() for g in streams.torch]
