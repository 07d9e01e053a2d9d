from pathlib import Path

import pytest
from PIL import Image, ImageChops
from support.experiments import experiment
from support.extras import needs
from support.run_folders import checkpoint_in, contents

from benchmarl_hyper.replay import replay
from benchmarl_hyper.replay.__main__ import main
from benchmarl_hyper.tasks.games import GamesTask

pytestmark = needs("vmas")


def game():
    return GamesTask.SPECIALISATION_2.get_task({"horizon": 3})


def checkpoint(folder, model, **changes):
    run = experiment(folder, model, checkpoint_at_end=True, max_n_iters=1, **changes)
    run.run()
    return checkpoint_in(run.folder_name)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Checkpoints of Navigation with 4 steps, and of a game with 3."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        "fups": checkpoint(folder, "fups"),
        "nops": checkpoint(folder, "nops"),
        "other": checkpoint(folder, "fups", evaluation_episodes=3),
        "game": checkpoint(folder, "fups", task=game, continuous=False),
    }


def frames(file):
    with Image.open(file) as picture:
        for i in range(picture.n_frames):
            picture.seek(i)
            yield picture.convert("RGB")


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_picture_per_step_that_moves(saved, tmp_path, suffix):
    file = tmp_path / f"two{suffix}"
    before = contents(saved["fups"].parents[1])
    replay([saved["fups"], saved["nops"]], file, width=120, trust=True)
    assert contents(saved["fups"].parents[1]) == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    first, *others = frames(file)
    assert len(others) == 4
    assert first.width == 240
    assert first.getpixel((0, first.height - 1)) == (255, 255, 255)
    for panel in ((0, 0, 120, first.height), (120, 0, 240, first.height)):
        changes = [ImageChops.difference(first, other).crop(panel).getbbox() for other in others]
        assert None not in changes


def test_the_first_pictures_of_all_episodes_are_alike(saved, tmp_path):
    file = tmp_path / "two.gif"
    replay([saved["fups"], saved["nops"]], file, ["same", "same"], width=120, trust=True)
    first, *_, last = frames(file)
    left, right = (0, 0, 120, first.height), (120, 0, 240, first.height)
    assert ImageChops.difference(first.crop(left), first.crop(right)).getbbox() is None
    assert ImageChops.difference(last.crop(left), last.crop(right)).getbbox() is not None


def test_the_seed_says_which_episode(saved, tmp_path):
    drawn = []
    for i, seed in enumerate((0, 0, 1)):
        file = tmp_path / f"{i}.gif"
        replay([saved["fups"]], file, seed=seed, width=120, trust=True)
        drawn.append(file.read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_game(saved, tmp_path):
    replay([saved["game"]], tmp_path / "game.gif", steps=2, width=120, trust=True)
    assert len(list(frames(tmp_path / "game.gif"))) == 3


def test_the_command_line(saved, tmp_path, capsys):
    file = tmp_path / "two.gif"
    words = [str(saved["fups"]), str(saved["nops"]), str(file), "--width", "120", "--trust"]
    main([*words, "--titles", "A,B", "--steps", "2", "--fps", "10", "--seed", "3"])
    assert capsys.readouterr().out == f"{file}\n"
    with Image.open(file) as picture:
        assert picture.n_frames == 3
        assert picture.info["duration"] == 100
        assert picture.info["loop"] == 0
    with pytest.raises(SystemExit, match=r"two\.gif exists and is not .* with --force"):
        main(words)
    main([*words, "--force"])
    assert len(list(frames(file))) == 5
    with pytest.raises(SystemExit, match=r"error: .* does not end in \.gif or \.webp; name the pi"):
        main([str(saved["fups"]), str(saved["nops"])])


def test_what_is_not_trusted_is_not_read(saved, tmp_path):
    with pytest.raises(ValueError, match="use --trust"):
        replay([saved["fups"]], tmp_path / "one.gif")
    assert list(tmp_path.iterdir()) == []


WRONG = {
    "suffix": ({"file": "one.mp4"}, ValueError, r"one\.mp4 does not end in \.gif or \.webp; name"),
    "folder": ({"file": "no/one.gif"}, FileNotFoundError, r"there is no folder .*no; make it"),
    "titles": (
        {"titles": ["a", "b"]},
        ValueError,
        r"there are 1 checkpoints, but the titles are a, b; giv",
    ),
    "steps": ({"steps": 0}, ValueError, "steps must be positive, got 0"),
    "seed": ({"seed": -1}, ValueError, r"seed must be between 0 and 2\*\*32 - 1, got -1"),
    "slow": ({"fps": 0}, ValueError, "fps must be between 1 and 50, got 0"),
    "fast": ({"fps": 100.0}, ValueError, "fps must be between 1 and 50, got 100"),
    "narrow": ({"width": 10}, ValueError, "width must be between 100 and 2000 pixels, got 10"),
    "none": ({"checkpoints": []}, ValueError, "there is no checkpoint to draw; give at least one"),
    "missing": ({"checkpoints": ["no.pt"]}, FileNotFoundError, r"there is no file no\.pt; give"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_are_refused(name, saved, tmp_path):
    changes, error, text = WRONG[name]
    options = {"checkpoints": [saved["game"]], "file": "one.gif", "trust": True, **changes}
    options["file"] = tmp_path / options["file"]
    with pytest.raises(error, match=text):
        replay(**options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_overwritten(saved, tmp_path):
    (tmp_path / "one.gif").mkdir()
    with pytest.raises(FileExistsError, match=r"one\.gif exists and is not overwritten"):
        replay([saved["game"]], tmp_path / "one.gif", force=True, trust=True)


def test_tasks_are_not_mixed(saved, tmp_path):
    with pytest.raises(
        ValueError, match=r"of task vmas/navigation, but .* of games/specialisation_2; draw checkp"
    ):
        replay([saved["fups"], saved["game"]], tmp_path / "two.gif", trust=True)


def test_other_starts_are_refused(saved, tmp_path):
    with pytest.raises(
        ValueError, match=r"differ in experiment\.evaluation_episodes=2 and 3; draw them into files"
    ):
        replay([saved["fups"], saved["other"]], Path(tmp_path / "two.gif"), trust=True)
