import copy
import json

import pytest

from benchmarl_hyper.running.redaction import REDACTED, redacted

SECRET = [
    *(
        "api_key",
        "API_KEY",
        "apiKey",
        "ApiKey",
        "apikey",
        "wandb_api_key",
        "api-key",
        "WANDB_API_KEY",
    ),
    *("token", "hf_token", "accessToken", "auth_token", "token_file", "password", "db_password"),
    *("passwd", "secret", "client_secret", "aws_secret_access_key", "credentials", "credential"),
    *("private_key", "authorization", "secrets", "experiment.wandb_extra_kwargs.api_key"),
]
NO_SECRET = [
    *("key", "keys", "position_key", "tokenizer", "n_tokens", "num_tokens", "tokenised", "api"),
    *("secretary", "monkey", "key_dim", "author", "out_key", "private"),
]


@pytest.mark.parametrize("key", SECRET)
def test_secrets_are_redacted_at_every_depth(key):
    assert redacted({key: "abc"}) == {key: REDACTED}
    nested = {"a": {"b": [{key: "abc", "lr": 0.1}, "x"]}, "c": ({key: ["abc"]},)}
    before = copy.deepcopy(nested)
    assert redacted(nested) == {
        "a": {"b": [{key: REDACTED, "lr": 0.1}, "x"]},
        "c": ({key: REDACTED},),
    }
    assert nested == before
    assert redacted({key: {"user": "me", "value": "abc"}}) == {key: REDACTED}


@pytest.mark.parametrize("key", NO_SECRET)
def test_other_settings_stay(key):
    for value in ("abc", 3, 0.5, None, True, [1, 2], {"x": "y"}):
        assert redacted({key: value}) == {key: value}


@pytest.mark.parametrize("value", [None, "", True, False])
def test_what_holds_nothing_stays(value):
    assert redacted({"api_key": value}) == {"api_key": value}


def test_numbers_are_secrets_only_under_the_word_itself():
    assert redacted({"password": 1234, "token": 5}) == {"password": REDACTED, "token": REDACTED}
    assert redacted({"token_dim": 8, "secret_size": 0.5}) == {"token_dim": 8, "secret_size": 0.5}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "+experiment.wandb_extra_kwargs.api_key=abc",
            f"+experiment.wandb_extra_kwargs.api_key={REDACTED}",
        ),
        ("++a.apiKey='a b'", f"++a.apiKey={REDACTED}"),
        ("a.b={api_key: abc, entity: me}", f"a.b={{api_key: {REDACTED}, entity: me}}"),
        ("{'password': 'a b', 'lr': 1}", f"{{'password': {REDACTED}, 'lr': 1}}"),
        ("token=abc lr=0.1", f"token={REDACTED} lr=0.1"),
        ("https://me:abc@host/x", f"https://{REDACTED}@host/x"),
        ("experiment.lr=0.1,0.2", "experiment.lr=0.1,0.2"),
        ("model.tokenizer=abc", "model.tokenizer=abc"),
        ("model.token_dim=8", "model.token_dim=8"),
        ("label=${hydra:runtime.choices.variant}_lr${experiment.lr}", None),
        ("api_key=null", "api_key=null"),
        ("torch.nn.Tanh", "torch.nn.Tanh"),
        ("https://host/x?y=1", "https://host/x?y=1"),
    ],
)
def test_texts(text, expected):
    assert redacted({"overrides": [text]}) == {
        "overrides": [text if expected is None else expected]
    }
    assert "abc" not in json.dumps(redacted(text)) or text == expected


def test_twice_is_once():
    settings = {"api_key": "abc", "overrides": ["a.token=abc", "b={secret: x}"]}
    assert redacted(redacted(settings)) == redacted(settings)


def test_shipped_settings_have_no_secrets():
    """So no setting of ours is lost from a run's config.yaml."""
    from benchmarl_hyper.conf_files import CONF, read_yaml

    files = [file for file in CONF.rglob("*.yaml") if file.parent.name != "suite"]
    assert files
    for file in files:
        values = read_yaml(file)
        assert redacted(values) == values, file
