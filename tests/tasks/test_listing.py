import pytest
from support.extras import reason
from torchrl.data import Categorical

from benchmarl_hyper.tasks import listing
from benchmarl_hyper.tasks.__main__ import main
from benchmarl_hyper.tasks.families import TASKS
from benchmarl_hyper.tasks.listing import EXTRAS, ROWS, Row, family


def name_of(task):
    return f"{task.associated_class().family}/{task.name.lower()}"


def test_every_task_has_a_row():
    assert [row.name for row in ROWS] == [name_of(task) for task in TASKS]


@pytest.mark.parametrize("task", TASKS, ids=map(name_of, TASKS))
def test_the_sizes_are_those_of_the_environment(task):
    team = task.get_task()
    if not team.installed():
        pytest.skip(reason(EXTRAS[team.family][0]))
    env = team.get_env_fun(1, team.supports_continuous_actions(), 0, "cpu")()
    ((group, agents),) = team.group_map(env).items()
    action = team.action_spec(env)[group, "action"]
    features = team.observation_spec(env)[group, "observation"].shape[-1]
    actions = (
        action.space.n if isinstance(action, Categorical) else f"{action.shape[-1]} continuous"
    )
    row = next(row for row in ROWS if row.name == name_of(task))
    assert row == Row(name_of(task), len(agents), features, str(actions), team.max_steps(env))
    env.close()


def test_the_table_has_families_and_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr(listing, "find_spec", lambda module: None)
    main(["games", "smax"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][0] == "task"
    assert ["games/specialisation_2", "2", "4", "2", "20", "-", "yes"] in lines
    assert ["smax/2s3z", "5", "127", "10", "100", "smax", "no"] in lines
    assert {line[0].partition("/")[0] for line in lines[2:]} == {"games", "smax"}


def test_without_families_it_lists_all(capsys):
    main([])
    assert len(capsys.readouterr().out.splitlines()) == len(ROWS) + 2


def test_an_unknown_family_is_answered_with_the_known_ones():
    with pytest.raises(
        SystemExit, match="unknown family gmaes; did you mean 'games'; the known families are games"
    ):
        main(["gmaes"])
    assert {family(row) for row in ROWS} == {"games", "hypervmas", "bps", "mamujoco", "smax"}
