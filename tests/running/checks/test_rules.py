import pytest

from benchmarl_hyper.running.checks.rules import RULES, rule_of

VALUES = [None, True, -1, 0.5, float("nan"), float("inf"), "", "a", [1], [], {"x": 1}]


@pytest.mark.parametrize("key", RULES)
def test_every_rule_answers_for_every_kind_of_value(key):
    assert {type(RULES[key].holds(value)) for value in VALUES} == {bool}


@pytest.mark.parametrize("key", RULES)
def test_null_is_allowed_where_the_words_say_so(key):
    assert RULES[key].holds(None) == RULES[key].words.startswith("null")


def test_a_pattern_is_the_rule_of_all_keys_that_it_fits():
    assert rule_of("experiment.max_n_iters") is RULES["experiment.max_n_*"]
    assert rule_of("model.num_cells") is None
