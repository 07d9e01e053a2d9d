"""What a moment of an episode looks like, for each kind of task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from benchmarl.experiment import Experiment
from matplotlib.axes import Axes
from PIL import Image
from tensordict import TensorDictBase
from torchrl.envs import EnvBase, TransformedEnv, VmasEnv

from benchmarl_hyper.replay.bps import bps_bodies
from benchmarl_hyper.replay.games import choices
from benchmarl_hyper.replay.vmas import vmas_bodies
from benchmarl_hyper.tasks.bps import BpsEnv
from benchmarl_hyper.tasks.games import GameEnv

View = tuple[float, float, float, float]  # left, right, bottom and top of what is drawn


class Scene(Protocol):
    """A moment of an episode; two are equal if they look alike."""

    def view(self) -> View:
        """Return the part of the plane that holds everything in the scene."""

    def draw(self, axes: Axes, past: Sequence[Any]) -> None:
        """Draw the scene.

        Args:
            axes: axes that show the view.
            past: the scenes before this one, from the first.
        """


class Screen(NamedTuple):
    """A picture that the environment drew itself."""

    picture: Image.Image

    def view(self) -> View:
        """Return the picture's size, with the first row of pixels on top."""
        return 0, self.picture.width, 0, self.picture.height

    def draw(self, axes: Axes, past: Sequence[Any]) -> None:
        """Show the picture."""
        axes.imshow(self.picture, extent=self.view(), aspect="auto")


def scene_of(run: Experiment, state: TensorDictBase) -> Scene:
    """Return how the first of a run's evaluation environments looks now.

    Args:
        run: a BenchMARL experiment whose environments are open.
        state: what the environment put out last.

    Raises:
        ValueError: if there is no way to draw the task.
    """
    env = _innermost(run.test_env)
    if isinstance(env, VmasEnv):
        return vmas_bodies(env)
    if isinstance(env, BpsEnv):
        return bps_bodies(env)
    if isinstance(env, GameEnv):
        return choices(env)
    if run.task.has_render(run.test_env):
        picture = run.task.render_callback(run, run.test_env, state)
        return Screen(Image.fromarray(np.asarray(picture, dtype=np.uint8)))
    raise ValueError(
        f"task {run.environment_name}/{run.task_name} cannot be drawn, because its environment "
        "does not render itself; what can be drawn are VMAS scenarios, bps, games, and tasks whose "
        "has_render is True, such as those of mamujoco"
    )


def _innermost(env: EnvBase) -> EnvBase:
    while isinstance(env, TransformedEnv):
        env = env.base_env
    return env
