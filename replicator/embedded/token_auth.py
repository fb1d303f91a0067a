"""TokenAuth: Bearer tokens and the service that issues them. (distribution, token/jwt.md and
token/oauth.md)"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from replicator.embedded.access import PULL, Access
from replicator.embedded.passwords import Passwords, basic_login
from replicator.embedded.refusal import Refusal
from replicator.embedded.tokens import Signer

# In bytes; no login needs more.
_MAX_FORM: Final = 64 * 1024


class TokenAuth:
    """Wants a token that covers the request, and issues it to whoever knows a password.

    Users get what they ask for. With *anonymous_pull* everybody else gets as much of it as is
    pulling from repositories; without it, nothing.
    """

    def __init__(
        self,
        passwords: Passwords,
        *,
        service: str = "embedded",
        lifetime: timedelta = timedelta(minutes=5),
        anonymous_pull: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._passwords = passwords
        self._service = service
        self._lifetime = lifetime
        self._anonymous_pull = anonymous_pull
        self._clock = clock
        self._signer = Signer(clock)
        self.routes: Sequence[BaseRoute] = (
            Route("/token", self._issue_by_basic, methods=["GET"]),
            Route("/token", self._issue_by_form, methods=["POST"]),
        )

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        error = ""
        if scheme.lower() == "bearer":
            claims = self._signer.read(token.strip())
            if claims is not None and _covers(claims.get("access", ()), needed):
                return None
            error = "invalid_token" if claims is None else "insufficient_scope"
        return self._bearer(connection, needed, error)

    def _bearer(self, connection: HTTPConnection, needed: Sequence[Access], error: str) -> str:
        parameters = {
            "realm": f"{connection.url.scheme}://{connection.url.netloc}/token",
            "service": self._service,
            "scope": " ".join(map(str, needed)),
            "error": error,
        }
        return "Bearer " + ",".join(
            f'{key}="{value}"' for key, value in parameters.items() if value
        )

    async def _issue_by_basic(self, request: Request) -> Response:
        """Answer the GET form; without a login the token is anonymous."""
        authorization = request.headers.get("authorization")
        login = basic_login(authorization or "")
        if authorization is None and self._anonymous_pull:
            user = ""
        elif login is not None and self._passwords.verify(*login):
            user = login[0]
        else:
            raise _wrong_login()
        query = request.query_params
        return self._issue(
            user, query.getlist("scope"), refreshable=query.get("offline_token") == "true"
        )

    async def _issue_by_form(self, request: Request) -> Response:
        """Answer the POST form, which also takes refresh tokens."""
        form = parse_qs((await _read_form(request)).decode("latin-1"))
        field = {key: values[0] for key, values in form.items()}
        match field.get("grant_type"):
            case "password":
                user = field.get("username", "")
                known = self._passwords.verify(user, field.get("password", ""))
            case "refresh_token":
                claims = self._signer.read(field.get("refresh_token", "")) or {}
                user, known = claims.get("sub", ""), "refresh" in claims
            case _:
                raise Refusal(
                    400, "UNSUPPORTED", "grant_type is neither password nor refresh_token"
                )
        if not known:
            raise _wrong_login()
        return self._issue(
            user, form.get("scope", []), refreshable=field.get("access_type") == "offline"
        )

    def _issue(self, user: str, scopes: Iterable[str], *, refreshable: bool) -> Response:
        now = self._clock()
        granted = [
            str(access if user else Access(access.kind, access.name, access.actions & PULL))
            for scope in scopes
            for access in map(Access.parse, scope.split())
            if user or access.kind == "repository"
        ]
        token = self._signer.sign(
            {
                "sub": user,
                "aud": self._service,
                "iat": now,
                "exp": now + self._lifetime.total_seconds(),
                "access": granted,
            }
        )
        answer: dict[str, Any] = {
            "token": token,
            "access_token": token,
            "expires_in": int(self._lifetime.total_seconds()),
            "issued_at": datetime.fromtimestamp(now, UTC).isoformat(),
        }
        if refreshable and user:
            answer["refresh_token"] = self._signer.sign({"sub": user, "refresh": True})
        return JSONResponse(answer)


def _covers(granted: Iterable[str], needed: Iterable[Access]) -> bool:
    have = [Access.parse(scope) for scope in granted]
    return all(any(access.covers(need) for access in have) for need in needed)


def _wrong_login() -> Refusal:
    return Refusal(
        401,
        "UNAUTHORIZED",
        "wrong user name or password",
        headers={"WWW-Authenticate": 'Basic realm="token service"'},
    )


async def _read_form(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_FORM:
            raise Refusal(413, "UNSUPPORTED", f"the limit is {_MAX_FORM} bytes")
    return bytes(body)
