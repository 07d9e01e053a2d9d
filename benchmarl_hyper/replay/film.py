"""Checkpoints in, a moving picture of their episodes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarl_hyper.replay.episode import Episode, episode_of
from benchmarl_hyper.replay.picture import FORMATS, pictures, write

SLOWEST, FASTEST = 1, 50  # pictures per second; browsers do not show a GIF faster than this


def replay(
    checkpoints: Sequence[Path],
    file: Path,
    titles: Sequence[str] | None = None,
    seed: int = 0,
    steps: int | None = None,
    fps: float | None = None,
    width: int = 300,
    force: bool = False,
    trust: bool = False,
) -> None:
    """Draw one evaluation episode of each checkpoint, side by side, into a GIF or WebP.

    All episodes start from the same state. The policies act as in the evaluation of their runs.

    Args:
        checkpoints: checkpoints of one task, in the folders of their runs; they are only read.
        file: the picture's file, which ends in ``.gif`` or ``.webp``.
        titles: a title per checkpoint; None for the labels of the runs.
        seed: seed of the environments and of policies that sample.
        steps: number of steps to draw at most; None for the whole episode.
        fps: pictures per second; None for a picture of about five seconds.
        width: width of an episode in pixels.
        force: whether an existing file is overwritten.
        trust: whether to read files of the runs that can run any code. Runs of our runner need no
            trust; see :func:`~benchmarl_hyper.running.saved_settings.settings_of`.

    Raises:
        FileNotFoundError: if a checkpoint, the file with the settings of its run, or the folder of
            the picture is missing.
        FileExistsError: if the picture exists and ``force`` is False.
        ValueError: if an option is out of range, if a task cannot be drawn, or if the checkpoints
            are of different tasks or do not start from the same state.
    """
    checkpoints, file = [Path(path) for path in checkpoints], Path(file)
    _check_file(file, force)
    _check_titles(len(checkpoints), titles)
    _check_numbers(seed, steps, fps, width)
    episodes: list[Episode] = []
    for path in checkpoints:
        episodes.append(episode_of(path, seed, steps, trust))
        _check_same_start(episodes[0], episodes[-1])
    names = titles or [episode.label for episode in episodes]
    write(pictures(episodes, names, width), file, fps)


def _check_file(file: Path, force: bool) -> None:
    if file.suffix.lower() not in FORMATS:
        raise ValueError(
            f"{file} does not end in {' or '.join(FORMATS)}; name the picture last, after the "
            "checkpoints"
        )
    if not file.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {file.parent}; make it, or name another file")
    if file.is_dir() or (file.exists() and not force):
        raise FileExistsError(
            f"{file} exists and is not overwritten; name another file, or overwrite a file with "
            "--force (in Python, force=True)"
        )


def _check_titles(n: int, titles: Sequence[str] | None) -> None:
    if n == 0:
        raise ValueError("there is no checkpoint to draw; give at least one")
    if titles is not None and len(titles) != n:
        raise ValueError(
            f"there are {n} checkpoints, but the titles are {', '.join(titles)}; give one title "
            "per checkpoint, with commas between them"
        )


def _check_numbers(seed: int, steps: int | None, fps: float | None, width: int) -> None:
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be between 0 and 2**32 - 1, got {seed}")
    if steps is not None and steps < 1:
        raise ValueError(f"steps must be positive, got {steps}")
    if fps is not None and not SLOWEST <= fps <= FASTEST:
        raise ValueError(f"fps must be between {SLOWEST} and {FASTEST}, got {fps:g}")
    if not 100 <= width <= 2000:
        raise ValueError(f"width must be between 100 and 2000 pixels, got {width}")


def _check_same_start(first: Episode, other: Episode) -> None:
    if first.task != other.task:
        raise ValueError(
            f"{first.checkpoint} is of task {first.task}, but {other.checkpoint} of {other.task}; "
            "draw checkpoints of one task side by side, and others into a file of their own"
        )
    if first.scenes[0] != other.scenes[0]:
        keys = [key for key, value in first.settings.items() if other.settings.get(key) != value]
        differ = [f"{key}={first.settings[key]} and {other.settings.get(key)}" for key in keys]
        raise ValueError(
            f"{first.checkpoint} and {other.checkpoint} do not start from the same state, since "
            f"their runs differ in {', '.join(differ) or 'versions of packages'}; draw them into "
            "files of their own"
        )
