"""Guard: lets no request to the API pass that its Auth does not allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from replicator.embedded.access import Access, needed_access
from replicator.embedded.passwords import Passwords, basic_login
from replicator.embedded.refusal import Refusal


class Auth(Protocol):
    """Decides about requests. What it needs routes for is outside the API."""

    @property
    def routes(self) -> Sequence[BaseRoute]: ...

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        """Return the WWW-Authenticate header of the refusal; None when the request may pass."""
        ...


class BasicAuth:
    """Lets in whoever sends a known password, to do anything."""

    routes: Sequence[BaseRoute] = ()

    def __init__(self, passwords: Passwords, *, realm: str = "embedded registry") -> None:
        self._passwords = passwords
        self._realm = realm

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        login = basic_login(connection.headers.get("authorization", ""))
        if login is not None and self._passwords.verify(*login):
            return None
        return f'Basic realm="{self._realm}"'


class Guard:
    """Middleware that asks *auth* about each request to the API."""

    def __init__(self, app: ASGIApp, auth: Auth) -> None:
        self._app = app
        self._auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v2"):
            connection = HTTPConnection(scope)
            challenge = self._auth.challenge(connection, needed_access(connection))
            if challenge is not None:
                refusal = Refusal(
                    401,
                    "UNAUTHORIZED",
                    "authentication required",
                    headers={"WWW-Authenticate": challenge},
                )
                await refusal.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)
