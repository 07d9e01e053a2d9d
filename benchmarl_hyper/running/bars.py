"""The progress bar of a run, with the return of its last evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Any, TextIO

from tqdm import tqdm


class RunBar(tqdm):
    """A bar that is described by what was evaluated.

    BenchMARL describes its bar with the mean return of a batch, which is nan whenever no episode
    has ended in it.
    """

    def set_description(self, desc: str | None = None, refresh: bool = True) -> None:
        """Show the mean return of the last evaluation, whatever BenchMARL asks for."""
        text = f"return {fmean(_returns.values()):.3g}" if _returns else ""
        super().set_description_str(text, refresh=refresh)


_options: dict[str, Any] | None = None
_returns: dict[int, float] = {}  # of the last evaluation, by seed


def bar(*args: Any, **kwargs: Any) -> tqdm:
    """Return a bar as ``tqdm`` does: a :class:`RunBar` in our runner, BenchMARL's elsewhere."""
    if _options is None:
        return tqdm(*args, **kwargs)
    return RunBar(*args, **kwargs, **_options)


def tell(seed: int, mean_return: float) -> None:
    """Note the mean return of an evaluation, which the next update of the bar shows.

    Args:
        seed: seed of the run.
        mean_return: the mean return of its episodes.
    """
    _returns[seed] = mean_return


@contextmanager
def run_bars(stream: TextIO, shown: bool) -> Iterator[None]:
    """Make the bars of the block those of our runner.

    Args:
        stream: where bars are drawn.
        shown: whether they are drawn at all.
    """
    global _options
    before, _options = _options, {"file": stream, "disable": not shown}
    _returns.clear()
    try:
        yield
    finally:
        _options = before
