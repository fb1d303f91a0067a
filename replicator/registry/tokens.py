"""Tokens, and the requests and answers of token services.

(distribution, "Token Authentication Specification" and "OAuth2 Token Authentication")
"""

from __future__ import annotations

import base64
import re
from dataclasses import field
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from replicator.registry.claims import claims_of
from replicator.registry.scopes import Scope
from replicator.registry.settings import Credentials
from replicator.values import dataclass

CLIENT_ID: Final = "replicator"

# In seconds. The specification's life of a token whose answer does not say, nor the token itself.
_DEFAULT_LIFE: Final = 60.0
# A token is renewed when less than this is left, or a tenth of its life if that is more. Docker
# Hub's tokens live for 300 s: a larger margin would renew them all the time.
_MARGIN: Final = 30.0
# A token that is refused at this age is not refused because it is too old.
_YOUTH: Final = 30.0
# A header must not get a second line out of a token.
_ONE_WORD: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class TokenService:
    """Where tokens for a registry come from, as its challenge says."""

    realm: httpx.URL
    service: str


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, whom it was asked for what, and its age by our own clock, in seconds."""

    value: str = field(repr=False)
    service: TokenService
    scopes: tuple[Scope, ...]
    received: float
    life: float

    @property
    def header(self) -> str:
        return f"Bearer {self.value}"

    def is_alive(self, now: float) -> bool:
        return now - self.received < self.life

    def is_due(self, now: float) -> bool:
        """Say whether the token should be renewed before it is used again."""
        margin = min(max(_MARGIN, self.life / 10), self.life / 2)
        return self.life - (now - self.received) < margin

    def is_young(self, now: float) -> bool:
        """Say whether a refusal of the token is final: another one would be refused as well."""
        return now - self.received < min(_YOUTH, self.life / 2)


def token_query(
    service: TokenService, scopes: tuple[Scope, ...], credentials: Credentials | None
) -> httpx.Request:
    """Ask for a token by GET, with the credentials in the header if there are any.

    Scopes are repeated parameters: Quay refuses them in one.
    """
    parameters = _service(service)
    parameters += [("scope", str(scope)) for scope in scopes]
    parameters.append(("client_id", CLIENT_ID))
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if credentials is not None:
        if credentials.username:
            parameters.append(("account", credentials.username))
        headers["Authorization"] = basic_header(credentials)
    own = service.realm.query
    query = b"&".join(filter(None, (own, urlencode(parameters).encode("ascii"))))
    return httpx.Request("GET", service.realm.copy_with(query=query), headers=headers)


def token_form(
    service: TokenService, scopes: tuple[Scope, ...], credentials: Credentials
) -> httpx.Request:
    """Ask for a token by POST, in exchange for the identity token of *credentials*."""
    form = [("grant_type", "refresh_token"), *_service(service), ("client_id", CLIENT_ID)]
    if scopes:
        form.append(("scope", " ".join(map(str, scopes))))
    form.append(("refresh_token", credentials.identity_token))
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    content = urlencode(form).encode("ascii")
    return httpx.Request("POST", service.realm, headers=headers, content=content)


def basic_header(credentials: Credentials) -> str:
    """Return the ``Authorization`` of Basic; an identity token stands in for a password."""
    secret = credentials.password or credentials.identity_token
    pair = f"{credentials.username}:{secret}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def read_token(
    answer: dict[str, Any], service: TokenService, scopes: tuple[Scope, ...], now: float
) -> Token:
    """Read the answer of *service*. Raises ValueError, with nothing of the answer in it.

    The token is opaque, and its ``issued_at`` is by somebody else's clock: the life counts from
    *now*.
    """
    value = answer.get("token") or answer.get("access_token")
    if not isinstance(value, str) or not _ONE_WORD.fullmatch(value):
        raise ValueError("JSON that holds no token")
    life = _life(answer.get("expires_in")) or _life_in(value) or _DEFAULT_LIFE
    return Token(value, service, scopes, now, life)


def _service(service: TokenService) -> list[tuple[str, str]]:
    return [("service", service.service)] if service.service else []


def _life(expires_in: Any) -> float:
    """Return a life in seconds, 0 for what is none."""
    return float(expires_in) if isinstance(expires_in, (int, float)) and expires_in > 0 else 0.0


def _life_in(token: str) -> float:
    """Return how long a token says that it lives, whatever the time is; 0 if it says nothing.

    Quay's answers never say it, and its tokens live for an hour.
    """
    claims = claims_of(token)
    start, end = claims.get("iat"), claims.get("exp")
    if isinstance(start, (int, float)) and isinstance(end, (int, float)):
        return _life(end - start)
    return 0.0
