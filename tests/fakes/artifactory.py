"""Artifactory: the first part of a path is a repository's key, and ``/artifactory/api``."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.basic import Users
from tests.fakes.front import before
from tests.support.faults import Faults


class FakeArtifactory:
    """*keys* are its repositories; users without the right to delete may move no tag."""

    def __init__(
        self,
        passwords: dict[str, str],
        *,
        keys: tuple[str, ...],
        readers: tuple[str, ...] = (),
    ) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.keys = keys
        self.types: dict[str, str] = {}  # LOCAL unless said otherwise
        self.may_redeploy = True
        self.users = Users(passwords, realm="Artifactory Realm", readers=readers)
        front = before(
            [
                Route("/artifactory/api/repositories", self._repositories),
                Route("/artifactory/api/docker/{key}/v2/_catalog", self._catalogue),
                Route("/v2/_catalog", self._no_catalogue),
                Route("/v2/{path:path}/tags/list", self._tags),
            ],
            self.faults,
        )
        self.registry = EmbeddedRegistry(
            self.storage,
            auth=self.users,
            wrap=lambda app: self.users.rights()(front(self._habits(app))),
        )

    async def _repositories(self, request: Request) -> Response:
        if (refusal := self.users.refusal(request)) is not None:
            return refusal.response()
        entries = [
            {"key": key, "type": self.types.get(key, "LOCAL"), "packageType": "Docker"}
            for key in self.keys
        ]
        return JSONResponse(entries)

    async def _no_catalogue(self, request: Request) -> Response:
        return PlainTextResponse("Not Found", 404)

    async def _catalogue(self, request: Request) -> Response:
        if (refusal := self.users.refusal(request)) is not None:
            return refusal.response()
        key = request.path_params["key"]
        if key not in self.keys:
            return JSONResponse({"errors": [{"status": 404, "message": "Not Found"}]}, 404)
        names = [
            name.removeprefix(f"{key}/")
            for name in self.storage.repositories()
            if name.startswith(f"{key}/")
        ]
        page, headers = _page(request, names, "_catalog", key)
        return JSONResponse({"repositories": page}, headers=headers)

    async def _tags(self, request: Request) -> Response:
        """List tags with digests among them, and a link by the path of its own API."""
        if (refusal := self.users.refusal(request)) is not None:
            return refusal.response()
        path = request.path_params["path"]
        if not self.storage.has_repository(path):
            return Refusal(404, "NAME_UNKNOWN", "repository name not known").response()
        key, _, name = path.partition("/")
        page, headers = _page(request, self.storage.tags(path), f"{name}/tags/list", key)
        digests = [f"sha256:{'a' * 64}"] if page else []
        return JSONResponse({"name": path, "tags": [*digests, *page]}, headers=headers)

    def _habits(self, app: ASGIApp) -> ASGIApp:
        """Refuse blobs in the closing PUT and tags that move; 403 to HEAD of what is missing."""

        async def habits(scope: Scope, receive: Receive, send: Send) -> None:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal.response()(scope, receive, send)
                return
            await app(scope, receive, send)

        return habits

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = dict(scope["headers"])
        path, _, tag = scope["path"].removeprefix("/v2/").rpartition("/manifests/")
        if scope["method"] == "PUT" and "/blobs/uploads/" in scope["path"]:
            if headers.get(b"content-length", b"0") != b"0":
                return Refusal(400, "BLOB_UPLOAD_INVALID", "blob upload invalid")
        elif path and scope["method"] == "HEAD" and not self._is_there(path, tag):
            return Refusal(403, "DENIED", "")
        elif path and scope["method"] == "PUT" and self._moves(path, tag):
            return Refusal(403, "DENIED", "not enough permissions to overwrite artifact")
        return None

    def _moves(self, path: str, tag: str) -> bool:
        return not self.may_redeploy and self._is_there(path, tag)

    def _is_there(self, path: str, reference: str) -> bool:
        if not self.storage.has_repository(path):
            return False
        if ":" in reference:
            return any(
                reference == str(self.storage.resolve(path, tag)) for tag in self.storage.tags(path)
            )
        return reference in self.storage.tags(path)


def _page(
    request: Request, names: list[str], place: str, key: str
) -> tuple[list[str], dict[str, str]]:
    query: Any = request.query_params
    rest = [name for name in names if name > query.get("last", "")]
    size = int(query.get("n", len(rest) or 1))
    page = rest[:size]
    if len(page) == len(rest):
        return page, {}
    url = f"http://artifactory.internal/artifactory/api/docker/{key}/v2/{place}"
    return page, {"Link": f'<{url}?last={page[-1]}&n={size}>; rel="next"'}
