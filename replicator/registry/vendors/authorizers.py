"""FromLogin: an Authorizer for APIs that take the registry's own login with each request."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from replicator.registry.login import Login
from replicator.registry.scopes import Scope
from replicator.registry.settings import Credentials


class FromLogin:
    """Sends what *header* makes of the login; nothing without a login, or where it makes nothing.

    A refusal is final: other credentials would be sent with the next request in any case.
    """

    def __init__(self, login: Login, header: Callable[[Credentials], str | None]) -> None:
        self._login = login
        self._header = header

    async def authorization(self, scopes: tuple[Scope, ...]) -> str | None:
        credentials = await self._login.credentials()
        return None if credentials is None else self._header(credentials)

    async def challenged(
        self, url: httpx.URL, headers: httpx.Headers, scopes: tuple[Scope, ...], used: str | None
    ) -> bool:
        return False

    async def denied(self, scopes: tuple[Scope, ...], used: str | None) -> bool:
        return False


def bearer_header(credentials: Credentials) -> str | None:
    """Return the header of an access token, which is the password at the registry."""
    return f"Bearer {credentials.password}" if credentials.password else None
