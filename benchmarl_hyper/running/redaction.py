"""Settings without secrets, for everything that is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "<redacted>"
SECRETS = (
    *("api_key", "access_key", "private_key", "secret_key", "auth_key"),  # before "secret" alone
    *("password", "passwords", "passwd", "passphrase", "secret", "secrets"),
    *("token", "apikey", "credential", "credentials", "authorization"),
)
_SECRET = re.compile(rf"(?<![^_])({'|'.join(SECRETS)})(?![^_])")
# A key and its value in text, for example an override of the command line: ``a.api_key=x``
_ASSIGNMENT = re.compile(
    r"""(?P<key>[\w.@/-]*\w)(?P<quote>["']?)(?P<sign>\s*[=:]\s*)"""
    r"""(?P<value>"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^\s,"'\[\]{}()]+)"""
)
_LOGIN = re.compile(r"(://)[^/\s:@]+:[^/\s@]+@")  # https://user:password@host


def redacted(settings: Any, key: str = "") -> Any:
    """Return settings in which the values of secrets are replaced by ``<redacted>``.

    A setting is a secret if its key holds ``password``, ``token``, ``api_key``, ``credentials`` or
    another of ``SECRETS`` as whole words. In ``num_tokens`` and ``tokenizer`` there is none. Texts
    are searched for ``key=value`` and ``key: value`` with such keys, and for logins in addresses.

    Args:
        settings: settings, nested in any way, or a text; they are not changed.
        key: the key of ``settings`` itself.
    """
    if _is_secret(key, settings):
        return REDACTED
    if isinstance(settings, Mapping):
        return {name: redacted(value, str(name)) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        values = [redacted(value) for value in settings]
        return values if isinstance(settings, list) else tuple(values)
    return _without_assignments(settings) if isinstance(settings, str) else settings


def _is_secret(key: str, value: Any) -> bool:
    """Return whether a value is that of a secret.

    ``token_dim: 8`` is none: with a number, the words must be the last ones of the key.
    """
    if value is None or value == "" or isinstance(value, bool):
        return False
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", key.rpartition(".")[2])
    words = "_".join(parts).lower()  # of api_key, apiKey or API-KEY
    ends = [found.end() for found in _SECRET.finditer(words)]
    return bool(ends) and (not isinstance(value, int | float) or ends[-1] == len(words))


def _without_assignments(text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        value = found["value"]
        if value.startswith("{"):  # a dictionary in an override of the command line
            value = "{" + _without_assignments(value[1:])
        number = re.fullmatch(r"[\d.e+-]+", value)
        if value in ("null", "None", "True", "False", "true", "false", REDACTED):
            return found[0]
        if _is_secret(found["key"], float("nan") if number else value):
            value = REDACTED
        return f"{found['key']}{found['quote']}{found['sign']}{value}"

    return _LOGIN.sub(rf"\1{REDACTED}@", _ASSIGNMENT.sub(replaced, text))
