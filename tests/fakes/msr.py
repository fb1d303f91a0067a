"""Docker Trusted Registry: repositories that have to be made first, and ``/api/v0``."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replicator.embedded.access import Access
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.basic import Users
from tests.fakes.front import before, without_referrers
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults


class MsrTokens(TokenService):
    """Gives rights to what exists: ``created`` are the repositories that somebody has made."""

    service = "msr.test"

    def __init__(self, passwords: dict[str, str], *, created: set[str]) -> None:
        super().__init__(passwords, realm="/auth/token")
        self.created = created

    def granted(self, user: str, access: Access) -> frozenset[str]:
        if access.kind != "repository" or access.name not in self.created or not user:
            return frozenset()
        return access.actions


class FakeMsr:
    """*namespaces* are the organisations and users that exist."""

    def __init__(self, passwords: dict[str, str], *, namespaces: tuple[str, ...]) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.namespaces = namespaces
        self.created: set[str] = set()
        self.tokens = MsrTokens(passwords, created=self.created)
        self.users = Users(passwords, realm="dtr")
        place = "/api/v0/repositories"
        front = before(
            [
                Route(place, self._list),
                Route(f"{place}/{{namespace}}", self._list, methods=["GET"]),
                Route(f"{place}/{{namespace}}", self._create, methods=["POST"]),
                Route(f"{place}/{{namespace}}/{{name}}", self._show),
            ],
            self.faults,
        )
        self.registry = EmbeddedRegistry(
            self.storage, auth=self.tokens, wrap=lambda app: front(without_referrers(app))
        )

    async def _list(self, request: Request) -> Response:
        namespace = request.path_params.get("namespace")
        if (refusal := self._refusal(request)) is not None:
            return refusal
        names = sorted(
            name
            for name in self.created
            if namespace is None or name.partition("/")[0] == namespace
        )
        query = request.query_params
        size = min(int(query.get("pageSize", 10)), 100)
        start = names.index(query["pageStart"]) if "pageStart" in query else 0
        page, headers = names[start : start + size], {}
        if start + size < len(names):
            headers["X-Next-Page-Start"] = names[start + size]
        return JSONResponse({"repositories": [_entry(name) for name in page]}, headers=headers)

    async def _show(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        path = f"{request.path_params['namespace']}/{request.path_params['name']}"
        if path not in self.created:
            return _error(404, "NO_SUCH_REPOSITORY", "A repository with the given name is missing")
        return JSONResponse(_entry(path))

    async def _create(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self.users.user(request) in self.tokens.readers:
            return _error(403, "NOT_AUTHORIZED", "The client is not authorized.")
        given = json.loads(await request.body())
        path = f"{request.path_params['namespace']}/{given['name']}"
        if path in self.created:
            return _error(400, "REPOSITORY_EXISTS", "A repository with the same name exists")
        self.created.add(path)
        return JSONResponse(_entry(path) | {"visibility": given["visibility"]}, 201)

    def _refusal(self, request: Request) -> Response | None:
        namespace = request.path_params.get("namespace")
        if not self.users.user(request):
            return _error(401, "NOT_AUTHENTICATED", "The client is not authenticated.")
        if namespace is not None and namespace not in self.namespaces:
            return _error(404, "NO_SUCH_ACCOUNT", "An account with the given name is missing")
        return None


def _entry(path: str) -> dict[str, str]:
    namespace, _, name = path.partition("/")
    return {"namespace": namespace, "name": name, "visibility": "private"}


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"errors": [{"code": code, "message": message}]}, status)
