"""The doorman: finds out who asks, by what the request shows."""

from __future__ import annotations

import ipaddress
from typing import Final

from starlette.requests import HTTPConnection

from replicator.api.v1.gate import Doorman
from replicator.errors import AccessDenied, ConfigError, NotAuthenticated
from replicator.office import NO_KEY, Office
from replicator.service.access.identity import Identity, nobody

_SCHEME: Final = "bearer"
_HOW: Final = (
    "send `Authorization: Bearer TOKEN`; `replicate token create` makes a token on the machine of "
    "the service"
)


def doorman(office: Office, listening_on: str) -> Doorman:
    """Return who finds out who asks.

    Whoever shows a token is known by it. As long as no token has ever been made and there is no
    other way to sign in, and the service listens on loopback alone, nobody has to show one.
    """
    is_local = is_loopback(listening_on)

    async def identify(request: HTTPConnection) -> Identity:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == _SCHEME:
            return await office.known_by(token.strip())
        if not is_local or await office.asks_who():
            raise NotAuthenticated(NO_KEY if await office.lacks_key() else _HOW)
        _require_local_name(request.headers.get("host", ""), listening_on)
        return nobody("loopback")

    return identify


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_safe_address(host: str, port: int, *, has_login: bool) -> None:
    """Raise ConfigError when anybody could reach a service that nobody could log in to."""
    if not is_loopback(host) and not has_login:
        raise ConfigError(
            f"cannot listen on {host}:{port}: others reach it, and there are no tokens to tell who "
            "they are; set secret_key_file below [service] or $REPLICATOR_SECRET_KEY, and make a "
            "token with `replicate token create NAME --role admin`, or let people sign in at a "
            "provider ([service.oidc]), or listen on 127.0.0.1"
        )


def _require_local_name(host: str, listening_on: str) -> None:
    """Raise AccessDenied for a name that somebody else may have let point to this machine.

    A web page could ask under such a name as if it were its own (DNS rebinding).
    """
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.removeprefix("[").removesuffix("]")
    if name != listening_on and not is_loopback(name):
        raise AccessDenied(
            "without tokens the service answers to 127.0.0.1 and localhost alone, not to "
            f"{name[:100]!r}"
        )
