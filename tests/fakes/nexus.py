"""Sonatype Nexus 3: one hosted repository behind a connector port, with Basic."""

from __future__ import annotations

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


class FakeNexus:
    """Behind its connector it is ``/repository/images``, and its links say so.

    *redeploys* is false where "Disable redeploy" is set.
    """

    def __init__(
        self,
        passwords: dict[str, str],
        *,
        redeploys: bool = True,
        readers: tuple[str, ...] = (),
    ) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.redeploys = redeploys
        self.types: dict[str, str] = {}  # of all its repositories; a connector does not tell
        self.users = Users(passwords, realm="Sonatype Nexus Repository Manager", readers=readers)
        front = before(
            [
                Route("/v2/{path:path}/tags/list", self._tags),
                Route("/service/rest/v1/repositories", self._repositories),
            ],
            self.faults,
        )
        self.registry = EmbeddedRegistry(
            self.storage,
            auth=self.users,
            wrap=lambda app: self.users.rights()(front(self._guarded(app))),
        )

    async def _tags(self, request: Request) -> Response:
        """List with nulls among the tags, as 3.58 did, and a link to where nobody else is."""
        if (refusal := self.users.refusal(request)) is not None:
            return refusal.response()
        path, query = request.path_params["path"], request.query_params
        if not self.storage.has_repository(path):
            return Refusal(404, "NAME_UNKNOWN", "repository name not known").response()
        names = [name for name in self.storage.tags(path) if name > query.get("last", "")]
        size = int(query.get("n", len(names)))
        page, headers = names[:size], {}
        if len(page) < len(names):
            place = f"http://nexus.internal:8081/repository/images/v2/{path}/tags/list"
            headers["Link"] = f'<{place}?n={size}&last={page[-1]}>; rel="next"'
        return JSONResponse({"name": path, "tags": [*page, None]}, headers=headers)

    async def _repositories(self, request: Request) -> Response:
        if not self.types:
            return Response("<html>Not Found</html>", 404, media_type="text/html")
        entries = [
            {"name": name, "format": "docker", "type": type_} for name, type_ in self.types.items()
        ]
        return JSONResponse([*entries, {"name": "maven", "format": "maven2", "type": "proxy"}])

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        """Refuse to move a tag where redeploying is disabled."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            path, _, tag = scope["path"].removeprefix("/v2/").rpartition("/manifests/")
            is_tag = scope["method"] == "PUT" and path and ":" not in tag
            if is_tag and not self.redeploys and tag in self._known(path):
                message = "Repository does not allow updating assets: images"
                refusal = Refusal(400, "UNKNOWN", message)
                await refusal.response()(scope, receive, send)
                return
            await app(scope, receive, send)

        return guarded

    def _known(self, path: str) -> list[str]:
        return self.storage.tags(path) if self.storage.has_repository(path) else []
