"""TokenService: tokens as a vendor gives them out, with the parts that differ left to be chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from replicator.embedded.access import PULL, Access
from replicator.embedded.passwords import basic_login
from replicator.embedded.refusal import Refusal
from replicator.embedded.tokens import Signer

NOBODY = ""


class TokenService:
    """Lets in whoever has a token for what is asked, and gives tokens out.

    Everybody may pull what is not below one of the *private* namespaces; users may do anything,
    ``readers`` among them nothing but pull.
    *realm* is its path, or its URL when it is on another host. ``clock`` is in seconds.
    """

    service = "registry.test"
    life = 300
    form_status = 405  # to a POST

    def __init__(
        self,
        passwords: dict[str, str] | None = None,
        *,
        realm: str = "/token",
        private: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.passwords = passwords or {}
        self.private = set(private)
        self.readers: set[str] = set()
        self.clock = clock
        self.realm = realm
        self.signer = Signer(clock)
        self.routes: Sequence[BaseRoute] = (
            [] if "://" in realm else [Route(realm, self.answer, methods=["GET", "POST"])]
        )

    # The registry's side

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        if connection.scope["path"] == self.realm:
            return None
        claims = self.claims(connection)
        if claims is not None and covers(claims["access"], needed):
            return None
        return self.bearer(connection, needed)

    def claims(self, connection: HTTPConnection) -> dict[str, object] | None:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        claims = self.signer.read(token.strip()) if scheme.lower() == "bearer" else None
        if claims is not None:
            claims["access"] = [
                f"{each['type']}:{each['name']}:{','.join(each['actions'])}"
                for each in claims.get("access", ())
            ]
        return claims

    def bearer(self, connection: HTTPConnection, needed: Sequence[Access]) -> str:
        url = connection.url
        realm = self.realm if "://" in self.realm else f"{url.scheme}://{url.netloc}{self.realm}"
        scope = f',scope="{" ".join(map(str, needed))}"' if needed else ""
        return f'Bearer realm="{realm}",service="{self.service}"{scope}'

    # The service's side

    async def answer(self, request: Request) -> Response:
        if request.method == "POST":
            return PlainTextResponse("no such thing", self.form_status)
        user, refusal = self.user_of(request.headers.get("authorization", ""))
        if refusal is not None:
            return refusal
        accesses = [Access.parse(scope) for scope in request.query_params.getlist("scope")]
        denied = frozenset({"push", "delete"} if user in self.readers else ())
        granted = [
            Access(each.kind, each.name, self.granted(user, each) - denied) for each in accesses
        ]
        token = self.signer.sign(
            {
                "sub": user,
                "iat": self.clock(),
                "exp": self.clock() + self.life,
                "access": [access_of(each) for each in granted if each.actions],
            }
        )
        return JSONResponse(self.reply(token))

    def user_of(self, authorization: str) -> tuple[str, Response | None]:
        """Return who asks, or the answer to a wrong password."""
        if not authorization:
            return NOBODY, None
        login = basic_login(authorization)
        if login is not None and self.passwords.get(login[0]) == login[1]:
            return login[0], None
        return NOBODY, self.wrong_password(login)

    def wrong_password(self, login: tuple[str, str] | None) -> Response | None:
        return Refusal(401, "UNAUTHORIZED", "incorrect username or password").response()

    def granted(self, user: str, access: Access) -> frozenset[str]:
        if user:
            return access.actions
        is_private = access.name.partition("/")[0] in self.private
        return frozenset() if is_private or access.kind != "repository" else access.actions & PULL

    def reply(self, token: str) -> dict[str, object]:
        return {"token": token, "access_token": token, "expires_in": self.life}


def access_of(access: Access) -> dict[str, object]:
    """Return an access as a token has it. (distribution, token/jwt.md)"""
    return {"type": access.kind, "name": access.name, "actions": sorted(access.actions)}


def covers(granted: object, needed: Iterable[Access]) -> bool:
    have = [Access.parse(scope) for scope in granted]
    return all(any(access.covers(need) for access in have) for need in needed)
