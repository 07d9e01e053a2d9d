"""Random numbers of many seeds: each seed draws what it would draw in a process of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from benchmarl.utils import seed_everything
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode

IN_PLACE = {
    getattr(Tensor, name)
    for name in (
        "bernoulli_",
        "cauchy_",
        "exponential_",
        "geometric_",
        "log_normal_",
        "normal_",
        "random_",
        "uniform_",
    )
}
DATA = vars(torch._C.TensorBase)["data"].__get__
LIKE = {torch.rand_like, torch.randn_like, torch.randint_like}
SIZED = {torch.rand, torch.randn, torch.randint}
OF_TENSORS = {torch.bernoulli, torch.multinomial, torch.normal, torch.poisson}
RANDOM = {*IN_PLACE, *LIKE, *SIZED, *OF_TENSORS, torch.randperm, Tensor.multinomial}
RANDOM |= {Tensor.bernoulli}


class Streams:
    """The generators of torch, numpy and Python for each of ``S`` seeds.

    Args:
        seeds: the seeds.
        device: device of torch's generators.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str):
        self.torch = [Generator(device) for _ in seeds]
        self._others: list[Any] = [None for _ in seeds]
        for index, seed in enumerate(seeds):
            self.set_seed(index, seed)

    def set_seed(self, index: int, seed: int) -> None:
        """Seed all generators of one of the seeds, as BenchMARL seeds a process."""
        with _kept():
            seed_everything(seed)
            self._others[index] = np.random.get_state(), random.getstate()
        self.torch[index].manual_seed(seed)

    @contextmanager
    def of(self, index: int) -> Iterator[None]:
        """Make the process draw from one seed's generators for the duration of the block."""
        device = self.torch[index].device
        with _kept():
            _set_state(device, self.torch[index].get_state())
            np.random.set_state(self._others[index][0])
            random.setstate(self._others[index][1])
            try:
                yield
            finally:
                self.torch[index].set_state(_state(device))
                self._others[index] = np.random.get_state(), random.getstate()

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put torch's generators back to where they were when the block ends."""
        before = [generator.get_state() for generator in self.torch]
        try:
            yield
        finally:
            for generator, state in zip(self.torch, before, strict=True):
                generator.set_state(state)


@contextmanager
def _kept() -> Iterator[None]:
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)


def _state(device: torch.device) -> Tensor:
    return torch.get_rng_state() if device.type == "cpu" else torch.cuda.get_rng_state(device)


def _set_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cpu":
        torch.set_rng_state(state)
    else:
        torch.cuda.set_rng_state(state, device)


class RowsOfSeeds(TorchFunctionMode):
    """Fill the rows of each seed from its own generator, in whatever torch draws in the block.

    Rows are seed-major: of a tensor ``[S * rows, ...]``, the first ``rows`` belong to the first
    seed. A seed's generator is asked for its rows alone, so it gives the numbers that it would give
    without the other seeds.

    Args:
        generators: a generator for each of ``S`` seeds.
        n_rows: rows of all seeds together, which divides the first dimension of what is drawn.

    Raises:
        ValueError: if something is drawn that has no such rows.
    """

    def __init__(self, generators: Sequence[Generator], n_rows: int):
        super().__init__()
        self.generators, self.n_rows = generators, n_rows
        self.only: int | None = None  # the seed for which everything is drawn

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func not in RANDOM:
            return func(*args, **kwargs)
        kwargs.pop("generator", None)
        if self.only is not None:
            return func(*args, **kwargs, generator=self.generators[self.only])
        if func in IN_PLACE:
            for part, generator in self._parts(func, args[0]):
                func(part, *args[1:], **kwargs, generator=generator)
            return args[0]
        if func in SIZED:
            return self._sized(func, args, kwargs)
        return torch.cat(
            [
                func(*part, **kwargs, generator=generator)
                for *part, generator in zip(*self._split(func, args), self.generators, strict=True)
            ]
        )

    def _parts(self, func: Callable, whole: Tensor) -> Iterator[tuple[Tensor, Generator]]:
        self._check(func, whole.shape)
        return zip(whole.chunk(len(self.generators)), self.generators, strict=True)

    def _split(self, func: Callable, args: Sequence[Any]) -> list[Sequence[Any]]:
        n_seeds = len(self.generators)
        columns: list[Sequence[Any]] = []
        for value in args:
            if isinstance(value, Tensor):
                self._check(func, value.shape)
                columns.append(value.chunk(n_seeds))
            else:
                columns.append([value] * n_seeds)
        if func is torch.randperm:
            self._check(func, ())
        return columns

    def _sized(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        before = args[:-1] if func is torch.randint and "size" not in kwargs else ()
        if "size" in kwargs:
            before, size = args, kwargs.pop("size")
        elif func is torch.randint:
            size = args[-1]
        else:
            size = args[0] if isinstance(args[0], Sequence) else args
        self._check(func, size)
        own = (size[0] // len(self.generators), *size[1:])
        drawn = [func(*before, own, **kwargs, generator=g) for g in self.generators]
        return torch.cat(drawn)

    def _check(self, func: Callable, shape: Sequence[int]) -> None:
        if not len(shape) or shape[0] == 0 or shape[0] % self.n_rows:
            raise ValueError(
                f"torch.{func.__name__} draws a tensor of shape {tuple(shape)}, which has no row "
                f"for each of {self.n_rows} environments, so that its numbers cannot be given to "
                "seeds; train seeds one after the other, with -m seed=0,1,2"
            )


class VmapOfSeeds(TorchFunctionMode):
    """Make ``torch.vmap`` over seeds do what each seed does alone.

    Random numbers come from each seed's generator. Three things that functions under ``vmap``
    cannot do are done in another way: new tensors that are filled in place get a seed dimension,
    ``data`` is a detached tensor, and squeezing a scalar returns it.

    Args:
        generators: a generator for each of ``S`` seeds.
    """

    def __init__(self, generators: Sequence[Generator]):
        super().__init__()
        self.generators = generators
        self.index: Tensor | None = None  # of the seed, as seen by the function under vmap

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func == DATA:
            return args[0].detach()
        if func is Tensor.squeeze and args[0].dim() == 0:
            return args[0]
        if func is Tensor.isfinite:
            return torch.ones((), dtype=torch.bool)
        if func not in RANDOM:
            return func(*args, **kwargs)
        if func not in IN_PLACE:
            raise NotImplementedError(f"torch.{func.__name__} of many seeds at once")
        drawn = [
            func(torch.empty_like(args[0]), *args[1:], **kwargs, generator=generator)
            for generator in self.generators
        ]
        assert self.index is not None
        return torch.stack(drawn).index_select(0, self.index.view(1)).squeeze(0)


def over_seeds(function: Callable, generators: Sequence[Generator]) -> Callable:
    """Return a function of tensors ``[S, ...]`` that calls ``function`` on those of each seed."""
    mode = VmapOfSeeds(generators)

    def of_one(index: Tensor, *args: Any) -> Any:
        mode.index = index
        return function(*args)

    mapped = torch.vmap(of_one, randomness="same")

    def of_all(*args: Any) -> Any:
        with mode:
            return mapped(torch.arange(len(generators), device=generators[0].device), *args)

    return of_all
