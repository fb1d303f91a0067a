"""The table ``[service.oidc]``: where people sign in, and what they may do then."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from replicator.config import values
from replicator.config.rule_patterns import read_rule_patterns
from replicator.config.table import Table
from replicator.errors import ConfigError
from replicator.notify.settings import Secret
from replicator.oidc.origins import origin_of
from replicator.oidc.settings import Grant, OidcSettings
from replicator.service.access.identity import Role

_EXAMPLE: Final = '[service.oidc] and below it issuer = "https://…"'
_GRANT: Final = Table(
    {
        "value": values.text,
        "role": values.one_of(Role),
        "rules": lambda value, where: _patterns(value, where),
    },
    example='{ value = "platform", role = "admin" }',
)
# An address that a browser takes for its own machine, where no certificate is to be had.
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def oidc_table(folder: Path) -> Table:
    """Return the reader of the table; relative paths start from *folder*."""
    return Table(
        {
            "issuer": _issuer,
            "client_id": values.text,
            "client_secret_env": values.text,
            "client_secret_file": lambda value, where: folder / values.text(value, where),
            "url": _own_address,
            "scopes": values.list_of(values.text),
            "claim": values.text,
            "name_claim": values.text,
            "grants": values.list_of(_grant),
            "default_role": values.one_of(Role),
            "origins": values.list_of(_origin),
        },
        example=_EXAMPLE,
    )


def read_oidc(value: Any, where: str, folder: Path) -> OidcSettings:
    """Read the table. Raises ConfigError."""
    given = oidc_table(folder)(value, where)
    for key in ("issuer", "client_id", "url"):
        if key not in given:
            raise ConfigError(
                f"{where}.{key}: is missing; a provider needs all of issuer, client_id and url"
            )
    variable, file = given.pop("client_secret_env", ""), given.pop("client_secret_file", None)
    if variable and file:
        raise ConfigError(
            f"{where}: client_secret_env and client_secret_file say the same; keep one of them"
        )
    if "openid" not in given.get("scopes", ("openid",)):
        raise ConfigError(f'{where}.scopes: has to have "openid", or nobody says who signs in')
    if not given.get("grants") and "default_role" not in given:
        raise ConfigError(
            f"{where}: nobody could do anything; write grants, or a default_role for everybody"
        )
    return OidcSettings(client_secret=Secret("", variable, file), **given)


def _grant(value: Any, where: str) -> Grant:
    given = _GRANT(value, where)
    for key in ("value", "role"):
        if key not in given:
            raise ConfigError(
                f'{where}.{key}: is missing; write {{ value = "platform", role = "admin" }}'
            )
    return Grant(**given)


def _patterns(value: Any, where: str) -> tuple[str, ...]:
    patterns = read_rule_patterns(value, where)
    if not patterns:
        raise ConfigError(f"{where}: no pattern matches no rule; leave it out for all")
    return patterns


def _issuer(value: Any, where: str) -> str:
    issuer = _address(value, where)
    if urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise ConfigError(f"{where}: an issuer has neither ? nor #")
    return issuer


def _own_address(value: Any, where: str) -> str:
    url = _address(value, where).rstrip("/")
    if url != origin_of(url):
        raise ConfigError(
            f"{where}: the page is at the root of its host, as in https://replicate.example.com"
        )
    return url


def _origin(value: Any, where: str) -> str:
    origin = _address(value, where)
    if origin != origin_of(origin):
        raise ConfigError(f"{where}: expected https://HOST[:PORT] and nothing behind it")
    return origin


def _address(value: Any, where: str) -> str:
    """Read an address over TLS: secrets and logins of people go there."""
    text = values.text(value, where)
    origin = origin_of(text)
    if not origin:
        raise ConfigError(f"{where}: expected https://HOST…, got {values.printable(text)!r}")
    if origin.startswith("http://") and urlsplit(text).hostname not in _LOCAL:
        raise ConfigError(f"{where}: write https://; http:// is for this machine alone")
    return text
