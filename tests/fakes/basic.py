"""Users: who may read and who may write, by Basic with each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from replicator.embedded.access import Access
from replicator.embedded.passwords import basic_login
from replicator.embedded.refusal import Refusal


class Users:
    """Lets in who has a password; *readers* among them are denied what changes something."""

    routes: Sequence[BaseRoute] = ()

    def __init__(
        self, passwords: dict[str, str], *, realm: str, readers: Iterable[str] = ()
    ) -> None:
        self.passwords = passwords
        self.readers = set(readers)
        self._challenge = f'Basic realm="{realm}"'

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        return None if self.user(connection) else self._challenge

    def user(self, connection: HTTPConnection) -> str:
        """Return who sends a request; nothing for a stranger."""
        login = basic_login(connection.headers.get("authorization", ""))
        return login[0] if login and self.passwords.get(login[0]) == login[1] else ""

    def refusal(self, connection: HTTPConnection) -> Refusal | None:
        """Return the answer to a stranger at paths that the registry does not guard."""
        if self.user(connection):
            return None
        headers = {"WWW-Authenticate": self._challenge}
        return Refusal(401, "UNAUTHORIZED", "authentication required", headers=headers)

    def rights(self, status: int = 403) -> Callable[[ASGIApp], ASGIApp]:
        """Return a wrap that answers *status* to what readers want to change."""

        def wrap(app: ASGIApp) -> ASGIApp:
            async def with_rights(scope: Scope, receive: Receive, send: Send) -> None:
                writes = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD")
                if writes and self.user(HTTPConnection(scope)) in self.readers:
                    refusal = Refusal(status, "DENIED", "access to the resource is denied")
                    await refusal.response()(scope, receive, send)
                    return
                await app(scope, receive, send)

            return with_rights

        return wrap
