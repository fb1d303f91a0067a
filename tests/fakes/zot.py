"""zot: Basic, OCI types alone, mounts from anywhere, referrers, and the search extension."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.basic import Users
from tests.fakes.front import before
from tests.support.faults import Faults

_SEARCH = "/v2/_zot/ext/search"
_QUERY = re.compile(
    r'\{ImageList\(repo:"([^"]+)",requestedPage:\{limit:(\d+),offset:(\d+),sortBy:ALPHABETIC_ASC\}\)'
    r"\{Results\{Tag Digest\}\}\}"
)
_DOCKER = b"application/vnd.docker."


class FakeZot:
    """*has_search* is false for a build without extensions."""

    def __init__(
        self,
        passwords: dict[str, str],
        *,
        has_search: bool = True,
        readers: tuple[str, ...] = (),
    ) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.has_search = has_search
        self.users = Users(passwords, realm="zot", readers=readers)
        front = before(
            [
                Route("/v2/_oci/ext/discover", self._discover),
                Route(_SEARCH, self._search),
                Route("/v2/{path:path}/tags/list", self._tags),
            ],
            self.faults,
        )
        self.registry = EmbeddedRegistry(
            self.storage,
            auth=self.users,
            wrap=lambda app: self.users.rights()(front(_oci_alone(app))),
        )

    async def _discover(self, request: Request) -> Response:
        if (refusal := self.users.refusal(request)) is not None:
            return refusal.response()
        if not self.has_search:
            return JSONResponse({"extensions": []})
        extension = {
            "name": "_zot",
            "url": "https://example.test/_zot.md",
            "description": "zot registry extensions",
            "endpoints": [_SEARCH, "/v2/_zot/ext/mgmt"],
        }
        return JSONResponse({"extensions": [extension]})

    async def _search(self, request: Request) -> Response:
        if (refusal := self.users.refusal(request)) is not None:
            return refusal.response()
        if not self.has_search:
            return Response("404 page not found", 404)
        match = _QUERY.fullmatch(request.query_params["query"])
        if match is None:
            return JSONResponse({"errors": [{"message": "the fake knows one query"}]}, 422)
        path, limit, offset = match[1], int(match[2]), int(match[3])
        if not self.storage.has_repository(path):
            return JSONResponse({"errors": [{"message": "repo metadata not found"}], "data": None})
        found = [
            {"Tag": tag, "Digest": str(self.storage.resolve(path, tag))}
            for tag in self.storage.tags(path)
            if not tag.startswith("sha256-")  # its database has signatures elsewhere
        ]
        return JSONResponse({"data": {"ImageList": {"Results": found[offset : offset + limit]}}})

    async def _tags(self, request: Request) -> Response:
        """List as zot does: 404 for a ``last`` that is no tag, and links with unescaped names."""
        if (refusal := self.users.refusal(request)) is not None:
            return refusal.response()
        path, query = request.path_params["path"], request.query_params
        if not self.storage.has_repository(path):
            return Refusal(404, "NAME_UNKNOWN", "repository name not known").response()
        names = self.storage.tags(path)
        if "last" in query:
            if query["last"] not in names:
                return Response(status_code=404)
            names = names[names.index(query["last"]) + 1 :]
        size = int(query.get("n", len(names)))
        page, headers = names[:size], {}
        if len(page) < len(names):
            headers["Link"] = f'</v2/{path}/tags/list?n={size}&last={page[-1]}>; rel="next"'
        body: dict[str, Any] = {"name": path, "tags": page}
        return JSONResponse(body, headers=headers)


def _oci_alone(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        kind = dict(scope.get("headers", ())).get(b"content-type", b"")
        if scope["type"] == "http" and scope["method"] == "PUT" and kind.startswith(_DOCKER):
            refusal = Refusal(415, "MANIFEST_INVALID", "manifest invalid")
            await refusal.response()(scope, receive, send)
            return
        await app(scope, receive, send)

    return wrapped
