"""Quay: tokens that make repositories, a lock after a wrong password, and ``/api/v1``."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from replicator.embedded.access import PULL, Access
from replicator.embedded.guard import Guard
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.asked import refusal
from tests.fakes.front import before
from tests.fakes.quay_habits import QuayHabits
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults

_LARGEST_PAGE = 100
_SCOPE = re.compile(r"repository:([^:\s]+):([a-z*,]+)")
_ACTIONS = {"pull", "push", "*"}


class QuayTokens(TokenService):
    """Knows repository scopes with pull, push and ``*`` alone, each in a parameter of its own.

    ``organisations`` are those that exist, ``creators`` the users that may make repositories;
    ``created`` are repositories that exist, be they empty.
    """

    life = 3600

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.organisations: set[str] = set()
        self.creators: set[str] = set()
        self.created: set[str] = set()
        self.exists: Callable[[str], bool] = lambda name: name in self.created
        self.is_read_only: Callable[[], bool] = lambda: False
        self.only_own = False  # robots may do nothing outside their organisation
        self.locked_until = 0.0
        self._failures = 0

    def challenge(self, connection: HTTPConnection, needed: Sequence[Access]) -> str | None:
        self.service = connection.url.netloc
        if self._is_public_read(connection, needed):
            return None
        # Who deletes has to be able to push; what a mount reads is not asked for.
        wanted = [
            Access(
                each.kind,
                each.name,
                frozenset({"pull", "push"}) if "delete" in each.actions else each.actions,
            )
            for each in needed[:1]
        ]
        return super().challenge(connection, wanted)

    def _is_public_read(self, connection: HTTPConnection, needed: Sequence[Access]) -> bool:
        """Say whether nobody in particular may have it: then no token is asked for."""
        return (
            "authorization" not in connection.headers
            and bool(needed)
            and all(
                each.kind == "repository"
                and each.actions <= PULL
                and self.exists(each.name)
                and each.name.partition("/")[0] not in self.private
                for each in needed
            )
        )

    async def answer(self, request: Request) -> Response:
        if request.method == "POST":
            return HTMLResponse("<html>Method Not Allowed</html>", 405)
        if request.headers.get("authorization") and self.clock() < self.locked_until:
            return PlainTextResponse(
                "Too many login attempts. \nPlease reset your Quay password and try again.",
                429,
                headers={"Retry-After": str(int(self.locked_until - self.clock()))},
            )
        for scope in request.query_params.getlist("scope"):
            match = _SCOPE.fullmatch(scope)
            if match is None or not set(match[2].split(",")) <= _ACTIONS:
                return Refusal(400, "INVALID_REQUEST", f"Unable to decode scope {scope}").response()
            if match[1] != match[1].lower():
                return Refusal(400, "NAME_INVALID", "Invalid repository name").response()
            if self.is_read_only() and "push" in match[2] and not self.exists(match[1]):
                return refusal(405, "DENIED", "System is read-only.", {"is_readonly": True})
        return await super().answer(request)

    def wrong_password(self, login: tuple[str, str] | None) -> Response | None:
        if login is not None and "+" not in login[0] and not login[0].startswith("$"):
            self._failures += 1
            self.locked_until = self.clock() + 0.5 * (2**self._failures - 1)
        return Refusal(401, "UNAUTHORIZED", "Invalid Username or Password").response()

    def granted(self, user: str, access: Access) -> frozenset[str]:
        namespace = access.name.partition("/")[0]
        is_foreign = self.only_own and user.partition("+")[0] != namespace
        if namespace not in self.organisations or is_foreign:
            return frozenset()
        if not user:
            hidden = namespace in self.private or not self.exists(access.name)
            return frozenset() if hidden else access.actions & PULL
        if "push" in access.actions and not self.exists(access.name):
            if user not in self.creators:
                return frozenset()
            self.created.add(access.name)
        return access.actions

    def reply(self, token: str) -> dict[str, object]:
        return {"token": token}


class FakeQuay:
    """A registry with organisations; ``oauth`` maps OAuth tokens to organisations they may see.

    ``after_page`` is called after each page of tags, to change something meanwhile.
    """

    def __init__(
        self,
        passwords: dict[str, str] | None = None,
        *,
        organisations: tuple[str, ...] = ("org",),
        private: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.oauth: dict[str, set[str]] = {}
        self.hidden: set[str] = set()  # private repositories of public organisations
        self.after_page: Callable[[], None] = lambda: None
        self.tokens = QuayTokens(passwords, realm="/v2/auth", private=private, clock=clock)
        self.tokens.organisations = set(organisations)
        self.tokens.exists = self.exists
        self.habits = QuayHabits(self.storage)
        self.tokens.is_read_only = lambda: self.habits.is_read_only
        place = "/api/v1/repository/{namespace}/{name:path}"
        self.registry = EmbeddedRegistry(
            self.storage,
            wrap=lambda app: self.habits.front(
                before(
                    [
                        *self.tokens.routes,
                        Route("/v2/", self._ping),
                        Route("/v2/_catalog", self._catalogue),
                        Route("/api/v1/repository", self._repositories, methods=["GET"]),
                        Route("/api/v1/repository", self._create, methods=["POST"]),
                        Route(f"{place}/tag/", self._tags),
                        Route(place, self._repository),
                    ],
                    self.faults,
                )(Guard(self.habits.wrap(app), self.tokens))
            ),
        )

    def exists(self, name: str) -> bool:
        return name in self.tokens.created or self.storage.has_repository(name)

    async def _ping(self, request: Request) -> Response:
        if self.tokens.claims(request) is not None:
            return HTMLResponse("true")
        challenge = self.tokens.bearer(request, ())
        if request.headers.get("authorization", "").startswith("Basic "):
            text = '{"error": "Invalid bearer token format"}'
            return HTMLResponse(text, 401, headers={"WWW-Authenticate": challenge})
        return HTMLResponse("true", 401, headers={"WWW-Authenticate": challenge})

    async def _catalogue(self, request: Request) -> Response:
        """Show nothing to who has no token, and does not ask for one either."""
        claims = self.tokens.claims(request)
        names = self.storage.repositories() if claims and claims["sub"] else []
        return JSONResponse({"repositories": names})

    # The API

    def _sees(self, request: Request, namespace: str) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        seen = self.oauth.get(token, set()) if scheme == "Bearer" else set()
        return namespace in seen or namespace not in self.tokens.private

    def _refusal(self, request: Request) -> Response | None:
        """The API takes OAuth tokens, or nothing at all."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and token not in self.oauth:
            return _api_error(401, "invalid_token", "Issuer quay not configured")
        if scheme == "Basic":
            if request.method == "POST":
                return HTMLResponse("CSRF token was invalid or missing.", 403)
            return _api_error(401, "invalid_token", "Requires authentication")
        return None

    async def _repositories(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        namespace = request.query_params.get("namespace")
        if namespace is None:
            return _api_error(400, "invalid_request", "namespace, public or starred is needed")
        names = sorted({*self.storage.repositories(), *self.tokens.created})
        mine = [name.partition("/")[2] for name in names if name.startswith(f"{namespace}/")]
        if not self._sees(request, namespace):
            mine = []
        if "authorization" not in request.headers:
            mine = [name for name in mine if f"{namespace}/{name}" not in self.hidden]
        start = int(request.query_params.get("next_page", "opaque-0").partition("-")[2])
        body: dict[str, Any] = {
            "repositories": [
                {"namespace": namespace, "name": name, "is_public": True}
                for name in mine[start : start + _LARGEST_PAGE]
            ]
        }
        if start + _LARGEST_PAGE < len(mine):
            body["next_page"] = f"opaque-{start + _LARGEST_PAGE}"
        return JSONResponse(body)

    async def _repository(self, request: Request) -> Response:
        if (refusal := self._refusal(request) or self._missing(request)) is not None:
            return refusal
        return JSONResponse({**request.path_params, "is_public": True})

    async def _tags(self, request: Request) -> Response:
        if (refusal := self._refusal(request) or self._missing(request)) is not None:
            return refusal
        query, path = request.query_params, _path(request)
        newest_first = self.storage.tags(path)[::-1]
        size = min(int(query.get("limit", 50)), _LARGEST_PAGE)
        number = int(query.get("page", 1))
        start = (number - 1) * size
        entries = [
            {
                "name": tag,
                "manifest_digest": str(self.storage.resolve(path, tag)),
                "is_manifest_list": False,
                "last_modified": "Thu, 01 Jan 2026 00:00:00 -0000",
                "start_ts": 1767225600,
                "reversion": False,
                "size": 1,
            }
            for tag in newest_first[start : start + size]
        ]
        has_more = start + size < len(newest_first)
        self.after_page()
        return JSONResponse({"tags": entries, "page": number, "has_additional": has_more})

    async def _create(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        body = json.loads(await request.body())
        namespace, name = body["namespace"], f"{body['namespace']}/{body['repository']}"
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if namespace not in self.oauth.get(token, ()):
            return _api_error(403, "insufficient_scope", "Unauthorized")
        if self.exists(name):
            return _api_error(400, "invalid_request", "Repository already exists")
        self.tokens.created.add(name)
        return JSONResponse({"namespace": namespace, "name": body["repository"]}, 201)

    def _missing(self, request: Request) -> Response | None:
        namespace = request.path_params["namespace"]
        if not self._sees(request, namespace):
            return _api_error(401, "invalid_token", "Requires authentication")
        return None if self.exists(_path(request)) else _api_error(404, "not_found", "Not Found")


def _path(request: Request) -> str:
    return f"{request.path_params['namespace']}/{request.path_params['name']}"


def _api_error(status: int, kind: str, message: str) -> Response:
    body = {"detail": message, "error_message": message, "error_type": kind, "status": status}
    return JSONResponse(body, status)
