from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from benchmarl_hyper.replay.bodies import Bodies
from benchmarl_hyper.replay.body import Body
from benchmarl_hyper.replay.colours import lighter, palette
from benchmarl_hyper.replay.episode import Episode
from benchmarl_hyper.replay.picture import MOST, pictures, write


def episode(length):
    """A disc that moves to the right."""
    scenes = [
        Bodies((Body("a", "disc", (1.0, 1.0), (float(x), 0.0), 0.0, "#0072b2", "agent"),))
        for x in range(length + 1)
    ]
    return Episode(
        Path("a.pt"), "a", "family/task", {}, scenes, [0.5 * x for x in range(length + 1)]
    )


def differ(one, other, panel, width=100):
    box = (panel * width, 0, (panel + 1) * width, one.height)
    return ImageChops.difference(one.crop(box), other.crop(box)).getbbox() is not None


def test_an_episode_that_ends_early_stays_at_its_end():
    drawn = list(pictures([episode(2), episode(4)], ["a", "b"], width=100))
    assert len(drawn) == 5
    assert [differ(x, y, panel=0) for x, y in pairwise(drawn)] == [
        True,
        True,
        True,  # now it says that this is the end
        False,
    ]
    assert all(differ(x, y, panel=1) for x, y in pairwise(drawn))


def test_of_a_long_episode_not_every_step_is_drawn():
    long = episode(5 * MOST)
    drawn = list(pictures([long], ["a"], width=100))
    assert MOST / 2 < len(drawn) <= MOST + 1
    assert differ(*drawn[-2:], panel=0)
    assert [len(list(pictures([episode(n)], ["a"], width=100))) for n in (0, 1)] == [1, 2]


def test_more_than_four_episodes_get_another_row():
    (four,) = pictures([episode(0)] * 4, ["a"] * 4, width=100)
    (five,) = pictures([episode(0)] * 5, ["a"] * 5, width=100)
    assert four.width == five.width == 400
    assert abs(five.height - 2 * four.height) <= 1


@pytest.mark.parametrize(
    ("n", "fps", "first"), [(2, None, 500), (41, None, 100), (101, None, 40), (3, 20, 50)]
)
def test_how_long_a_picture_stays(n, fps, first, tmp_path):
    images = [Image.new("RGB", (n, 1), "white") for _ in range(n)]
    for i, image in enumerate(images):  # since Pillow joins pictures that are alike
        image.putpixel((i, 0), (0, 0, 0))
    write(iter(images), tmp_path / "a.gif", fps)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.info["duration"] == first
        picture.seek(picture.n_frames - 1)
        assert picture.info["duration"] == 1000


def test_white_stays_white(tmp_path):
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    noise.paste((255, 255, 255), (0, 0, 32, 64))
    write(iter([noise, noise.rotate(180)]), tmp_path / "a.gif", None)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 30])
def test_colours_are_different(n):
    assert len(set(palette(n))) == n


def test_a_lighter_colour():
    assert lighter("#000000", 0.0) == "#000000"
    assert lighter("#ff0000", 1.0) == "#ffffff"
    assert lighter("#000000", 0.2) == "#333333"
