"""Azure's registry: tokens for what was asked, and ``/acr/v1`` beside the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replicator.embedded.access import Access
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.refusal import Refusal
from replicator.embedded.server import EmbeddedRegistry
from tests.fakes.front import before
from tests.fakes.token_service import TokenService
from tests.support.faults import Faults


class AzureTokens(TokenService):
    """``without_metadata`` are users whose tokens are mapped to scopes without metadata_read."""

    service = "acme.azurecr.test"
    life = 4500
    form_status = 400

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.without_metadata: set[str] = set()

    def granted(self, user: str, access: Access) -> frozenset[str]:
        if not user:
            return frozenset()
        return access.actions - ({"metadata_read"} if user in self.without_metadata else set())


class FakeAzure:
    def __init__(self, passwords: dict[str, str], *, tokens: Any = None) -> None:
        self.storage = MemoryStorage()
        self.faults = Faults()
        self.tokens = tokens or AzureTokens(passwords, realm="/oauth2/token")
        self.registry = EmbeddedRegistry(
            self.storage,
            auth=self.tokens,
            wrap=before(
                [
                    Route("/acr/v1/_catalog", self._catalogue),
                    Route("/acr/v1/{path:path}/_tags", self._tags),
                ],
                self.faults,
            ),
        )

    async def _catalogue(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "registry:catalog:*")) is not None:
            return refusal
        names, headers = _page(request, self.storage.repositories())
        return JSONResponse({"repositories": names}, headers=headers)

    async def _tags(self, request: Request) -> Response:
        path = request.path_params["path"]
        if (refusal := self._refusal(request, f"repository:{path}:metadata_read")) is not None:
            return refusal
        if not self.storage.has_repository(path):
            return Refusal(404, "NAME_UNKNOWN", "repository name not known").response()
        names, headers = _page(request, self.storage.tags(path))
        tags = [
            {
                "name": name,
                "digest": str(self.storage.resolve(path, name)),
                "createdTime": "2026-01-01T00:00:00.0000000Z",
                "lastUpdateTime": "2026-01-01T00:00:00.0000000Z",
                "signed": False,
                "changeableAttributes": {"deleteEnabled": True, "writeEnabled": True},
            }
            for name in names
        ]
        body = {"registry": self.tokens.service, "imageName": path, "tags": tags}
        return JSONResponse(body, headers=headers)

    def _refusal(self, request: Request, scope: str) -> Response | None:
        needed = Access.parse(scope)
        claims = self.tokens.claims(request) or {"access": []}
        if any(Access.parse(each).covers(needed) for each in claims["access"]):
            return None
        headers = {"WWW-Authenticate": self.tokens.bearer(request, [needed])}
        refusal = Refusal(401, "UNAUTHORIZED", "authentication required", headers=headers)
        return refusal.response()


def _page(request: Request, names: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return a page, and a relative link whose ``orderby`` is empty and has to stay."""
    query = request.query_params
    size = min(int(query.get("n", 100)), 100)
    rest = [name for name in names if name > query.get("last", "")]
    page = rest[:size]
    if len(rest) == len(page):
        return page, {}
    link = f"{request.url.path}?last={quote(page[-1], safe='')}&n={size}&orderby="
    return page, {"Link": f'<{link}>; rel="next"'}
